"""The feed on Kafka keeps the contract, on a real broker."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition as DriverPartition

from feed.adapters.kafka import open_feed
from feed.ports import Feed, TopicPartition
from tests.contract.feed_contract import FeedContract
from tests.contract.feed_driver import DeleteBefore, OpenFeed
from tests.contract.kafka_topics import QUICK, admin_of, fresh_prefix

TOPIC = "events"


class TestKafkaFeed(FeedContract):
    @pytest.fixture
    def prefix(self, kafka_url: str) -> Iterator[str]:
        with fresh_prefix(kafka_url) as prefix:
            yield prefix

    @pytest.fixture
    def open_feed(self, kafka_url: str, prefix: str) -> Iterator[OpenFeed]:
        with ExitStack() as stack:

            def opened() -> Feed:
                feed = open_feed(kafka_url, QUICK | {"prefix": prefix}, Path())
                stack.callback(feed.close)
                return feed

            opened().ensure_topics()
            yield opened

    @pytest.fixture
    def topic(self) -> str:
        return TOPIC

    @pytest.fixture
    def other_topic(self) -> str:
        return "history"

    @pytest.fixture
    def delete_before(self, kafka_url: str, prefix: str) -> DeleteBefore:
        admin = admin_of(kafka_url)

        def delete(feed: Feed, place: TopicPartition, offset: int) -> None:
            outer = DriverPartition(f"{prefix}.{place.topic}", place.partition, offset)
            for deleted in admin.delete_records([outer]).values():
                deleted.result(30)

        return delete

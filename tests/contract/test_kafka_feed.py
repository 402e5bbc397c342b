"""The feed on Kafka keeps the contract, on a real broker."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import get_ident

import pytest
from confluent_kafka import TopicPartition as DriverPartition

from feed.adapters.kafka import open_feed
from feed.adapters.kafka.producer import LEFT_S
from feed.ports import Feed, TopicPartition
from tests.contract.feed_contract import FeedContract
from tests.contract.feed_driver import PATIENCE_S, DeleteBefore, OpenFeed, make_records
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

    def test_whoever_takes_the_reports_settles_the_tickets(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        """Not each of them: the feed's own thread may be waiting for reports when the first take
        comes, and get them yet."""
        feed = open_feed()
        reports = feed.reports()
        assert reports is not None
        settled_in: list[int] = []
        end_s = time.monotonic() + PATIENCE_S
        while get_ident() not in settled_in:
            ticket = feed.publish(topic, make_records(1))
            ticket.add_done_callback(lambda: settled_in.append(get_ident()))
            while not ticket.is_settled():
                assert time.monotonic() < end_s, "no ticket is settled by who takes its reports"
                reports.take_reports(timeout_s=LEFT_S / 10)

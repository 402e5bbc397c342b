"""The embedded feed keeps the contract."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from feed.adapters.embedded import EmbeddedFeed, open_feed
from feed.adapters.embedded.files import open_existing, topic_path
from feed.ports import Feed, TopicPartition
from feed.sqlite import writing
from tests.contract.feed_contract import FeedContract
from tests.contract.feed_driver import DeleteBefore, OpenFeed

QUICK = {"lease_s": "2", "max_poll_s": "2"}


class TestEmbeddedFeed(FeedContract):
    @pytest.fixture
    def open_feed(self, tmp_path: Path) -> Iterator[OpenFeed]:
        with ExitStack() as stack:

            def opened() -> EmbeddedFeed:
                feed = open_feed("embedded:", QUICK, tmp_path)
                stack.callback(feed.close)
                return feed

            opened().ensure_topics()
            yield opened

    @pytest.fixture
    def topic(self) -> str:
        return "events"

    @pytest.fixture
    def other_topic(self) -> str:
        return "history"

    @pytest.fixture
    def delete_before(self, tmp_path: Path) -> DeleteBefore:
        def delete(feed: Feed, place: TopicPartition, offset: int) -> None:
            connection = open_existing(topic_path(tmp_path / "feed", place.topic))
            with writing(connection):
                connection.execute(
                    "DELETE FROM chunks WHERE partition = ? AND base + count <= ?",
                    (place.partition, offset),
                )
            connection.close()

        return delete

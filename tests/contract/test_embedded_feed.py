"""The embedded feed keeps the contract."""

from contextlib import ExitStack

import pytest

from feed.adapters.embedded import EmbeddedFeed, open_feed
from feed.adapters.embedded.files import open_existing, topic_path
from feed.sqlite import writing
from tests.contract.feed_contract import FeedContract

QUICK = {"lease_s": "2", "max_poll_s": "2"}


class TestEmbeddedFeed(FeedContract):
    @pytest.fixture
    def open_feed(self, tmp_path):
        with ExitStack() as stack:

            def opened() -> EmbeddedFeed:
                feed = open_feed("embedded:", QUICK, tmp_path)
                stack.callback(feed.close)
                return feed

            opened().ensure_topics()
            yield opened

    @pytest.fixture
    def topic(self):
        return "events"

    @pytest.fixture
    def other_topic(self):
        return "history"

    @pytest.fixture
    def delete_before(self, tmp_path):
        def delete(feed, place, offset):
            connection = open_existing(topic_path(tmp_path / "feed", place.topic))
            with writing(connection):
                connection.execute(
                    "DELETE FROM chunks WHERE partition = ? AND base + count <= ?",
                    (place.partition, offset),
                )
            connection.close()

        return delete

"""The feed on Kafka under several real processes: killed, stopped, forked."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from feed.ports import Feed
from tests.contract.feed_process import TOPIC
from tests.contract.feed_processes_contract import FeedProcessesContract, check_producers_killed
from tests.contract.feed_workers import Start
from tests.contract.kafka_topics import QUICK, fresh_prefix


class TestKafkaFeedProcesses(FeedProcessesContract):
    @pytest.fixture
    def url(self, kafka_url: str) -> Iterator[str]:
        with fresh_prefix(kafka_url) as prefix:
            options = QUICK | {"prefix": prefix, "max_poll_s": "60"}
            yield f"{kafka_url}?{urlencode(options)}"

    def test_a_producer_killed_as_it_is_told_leaves_what_it_was_told(
        self, feed: Feed, start: Start
    ) -> None:
        check_producers_killed(feed, start, "publish.reported:5")

    def test_a_connected_handle_works_on_both_sides_of_a_fork(
        self, feed: Feed, start: Start
    ) -> None:
        worker = start("fork_late")

        assert worker.end() == 0

        assert ["status", 0] in worker.lines()
        assert sum(bounds.end for bounds in feed.bounds(TOPIC).values()) == 3

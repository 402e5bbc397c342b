"""How far the view has come is asked of the feed, but not by every query."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feed.adapters.embedded import open_feed
from feed.clock import Clock
from feed.errors import FeedUnavailable
from feed.lag import APPEND_SLACK_MS
from feed.ports import Feed, OutgoingRecord, TopicPartition
from feed.topics import Topic
from tests.builders import NOON_MS
from tests.fakes import FakeClock
from timeseries.freshness import KEPT_S, Freshness


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    opened = open_feed("embedded:", {}, tmp_path)
    opened.ensure_topics()
    yield opened
    opened.close()


def test_a_view_with_nothing_to_do_is_complete_up_to_now(feed: Feed) -> None:
    freshness = Freshness(lambda: feed, FakeClock().clock)
    assert freshness.complete_through_ms() == NOON_MS - APPEND_SLACK_MS


def test_a_waiting_record_holds_the_time_back_once_the_feed_is_asked_again(feed: Feed) -> None:
    time = FakeClock()
    wall = Clock().now_ms  # the log stamps with its own
    freshness = Freshness(lambda: feed, Clock(time.clock.monotonic_s, wall))
    before = freshness.complete_through_ms()
    feed.publish(Topic.EVENTS, [OutgoingRecord(b"k", b"v")])
    assert feed.flush(timeout_s=10)
    (appended_ms,) = {
        stamp
        for partition in feed.bounds(Topic.EVENTS)
        if (stamp := feed.appended_at_ms(TopicPartition(Topic.EVENTS, partition), 0)) is not None
    }
    time.move(KEPT_S / 2)
    assert freshness.complete_through_ms() == before
    for _ in range(2):
        time.move(KEPT_S)
        through_ms = freshness.complete_through_ms()
        assert through_ms is not None
        assert through_ms <= appended_ms


def test_a_feed_that_is_away_leaves_the_time_unknown() -> None:
    def away() -> Feed:
        raise FeedUnavailable

    assert Freshness(away, FakeClock().clock).complete_through_ms() is None

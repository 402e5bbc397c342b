"""Members in trouble: clocks that jump, files that fail, records that vanish ahead of a reader."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feed import sqlite
from feed.adapters.embedded import EmbeddedFeed, consumer
from feed.adapters.embedded.files import GROUPS_FILE, MEMBERS_FOLDER, topic_path
from feed.adapters.embedded.membership import Heart
from feed.adapters.embedded.options import parse_options
from feed.clock import Clock
from feed.errors import DataLoss, FeedUnavailable
from feed.sqlite import open_file
from tests.contract.feed_driver import (
    PATIENCE_S,
    GroupMember,
    make_records,
    places,
    publish,
    receive,
    wait_until,
)

YEAR_MS = 365 * 24 * 3_600_000
QUICK = {"lease_s": "3", "max_poll_s": "5"}


class _Clock:
    """A wall and a monotonic clock that stand until they are moved."""

    def __init__(self) -> None:
        self.now_ms, self.now_s = 1_793_534_400_000, 1000.0
        self.clock = Clock(monotonic_s=lambda: self.now_s, now_ms=lambda: self.now_ms)


@pytest.fixture
def time() -> _Clock:
    return _Clock()


@pytest.fixture
def timed_feed(tmp_path: Path, time: _Clock) -> Iterator[EmbeddedFeed]:
    feed = EmbeddedFeed(tmp_path / "feed", parse_options(QUICK), clock=time.clock)
    feed.ensure_topics()
    yield feed
    feed.close()


def _settled(*members: GroupMember) -> bool:
    return sum(len(member.consumer.assignment()) for member in members) == 4 and all(
        member.consumer.assignment() for member in members
    )


def _poll_until(condition: Callable[[], bool], time: _Clock, *members: GroupMember) -> None:
    """Time passes in small steps while these members poll."""

    def came_true() -> bool:
        time.now_s += 0.25
        return condition()

    wait_until(came_true, polling=members)


@pytest.mark.parametrize("jump_ms", [YEAR_MS, -YEAR_MS])
def test_a_jump_of_the_wall_clock_moves_no_lease(
    timed_feed: EmbeddedFeed, time: _Clock, jump_ms: int
) -> None:
    one, two = members = [GroupMember(timed_feed, "g", "events") for _ in range(2)]
    _poll_until(lambda: _settled(*members), time, *members)
    held = [member.consumer.assignment() for member in members]

    time.now_ms += jump_ms
    publish(timed_feed, "events", make_records(40))
    wait_until(lambda: len(one.records) + len(two.records) >= 40, polling=members)
    one.commit_all()

    assert [member.consumer.assignment() for member in members] == held
    committed = timed_feed.committed("g", "events")
    assert {position.committed_at_ms for position in committed.values()} == {time.now_ms}
    for member in members:
        member.consumer.close()


@pytest.mark.parametrize("jump_ms", [YEAR_MS, -YEAR_MS])
def test_a_silent_member_is_taken_over_whatever_the_wall_clock_does(
    timed_feed: EmbeddedFeed, time: _Clock, jump_ms: int
) -> None:
    silent, other = [GroupMember(timed_feed, "g", "events") for _ in range(2)]
    _poll_until(lambda: _settled(silent, other), time, silent, other)

    time.now_ms += jump_ms
    _poll_until(lambda: len(other.consumer.assignment()) == 4, time, other)

    assert [member.id for member in timed_feed.members("g")] != []
    assert len(timed_feed.members("g")) == 1
    other.consumer.close()
    silent.consumer.close()
    assert silent.listener.told("lost") != frozenset()


def test_a_member_whose_beat_stands_still_is_listed_no_more(
    timed_feed: EmbeddedFeed, time: _Clock
) -> None:
    member = GroupMember(timed_feed, "g", "events")
    member.poll()
    assert len(timed_feed.members("g")) == 1
    time.now_s += 61.0

    def listed() -> bool:
        time.now_s += 1.0
        return len(timed_feed.members("g")) == 1

    wait_until(lambda: not listed())
    member.consumer.close()


def test_a_heart_that_finds_no_file_says_so_and_beats_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heart = Heart(tmp_path, "ann", parse_options({"lease_s": "0.2"}), lambda: 0.0)
    with caplog.at_level(logging.WARNING):
        heart.start()
        wait_until(lambda: "no heartbeat" in caplog.text)

    feed = EmbeddedFeed(tmp_path, parse_options({}))
    feed.ensure_topics()  # a file without this member: the heart finds itself expelled
    feed.close()

    heart.join(PATIENCE_S)
    assert not heart.is_alive()
    heart.stop()


def test_a_member_that_cannot_join_leaves_no_lock_and_joins_later(
    timed_feed: EmbeddedFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    other = open_file(tmp_path / "feed" / GROUPS_FILE)
    other.execute("BEGIN IMMEDIATE")
    member, never = [GroupMember(timed_feed, "g", "events") for _ in range(2)]

    for shut_out in (member, never):
        with pytest.raises(FeedUnavailable, match="BusyError"):
            shut_out.poll()

    assert list((tmp_path / "feed" / MEMBERS_FOLDER).iterdir()) == []
    other.close()
    never.consumer.close()
    wait_until(lambda: len(member.consumer.assignment()) == 4, polling=[member])
    member.consumer.close()
    assert list((tmp_path / "feed" / MEMBERS_FOLDER).iterdir()) == []


def test_records_that_vanish_ahead_of_a_reading_member_are_data_loss(
    timed_feed: EmbeddedFeed, tmp_path: Path
) -> None:
    publish(timed_feed, "events", make_records(40))
    member = GroupMember(timed_feed, "g", "events")
    receive(member, 40)
    member.consumer.pause(member.consumer.assignment())
    publish(timed_feed, "events", make_records(40))
    connection = open_file(topic_path(tmp_path / "feed", "events"))
    connection.execute("DELETE FROM chunks")
    connection.close()

    member.consumer.resume(member.consumer.assignment())

    with pytest.raises(DataLoss):
        member.poll()
    member.consumer.close()


def test_a_poll_is_bounded_in_bytes_and_still_gives_everything(
    timed_feed: EmbeddedFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "MAX_POLL_BYTES", 5_000)
    records = make_records(40, size=2_000)
    publish(timed_feed, "events", records)
    member = GroupMember(timed_feed, "g", "events")

    sizes = []
    while len(member.records) < 40:
        sizes.append(len(member.poll()))

    assert max(sizes) <= 3
    assert len(set(places(member.records))) == 40
    member.consumer.close()


def test_a_reader_waits_for_its_time_and_then_gives_nothing(timed_feed: EmbeddedFeed) -> None:
    reader = timed_feed.reader("events")

    assert reader.poll(10, timeout_s=0.05) == []
    reader.close()


def test_a_closed_consumer_says_that_it_cannot_read(timed_feed: EmbeddedFeed) -> None:
    member = GroupMember(timed_feed, "g", "events")
    member.poll()
    member.consumer.close()

    with pytest.raises(FeedUnavailable, match="ConnectionClosedError"):
        member.poll()

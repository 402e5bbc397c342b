"""Retention deletes what is old and read by all who must; nothing else, ever."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feed.adapters.embedded import EmbeddedFeed, retention
from feed.adapters.embedded.options import parse_options
from feed.clock import Clock
from feed.ports import TopicPartition
from feed.topics import CONSTANT_READERS, Topic
from tests.contract.feed_driver import make_records, publish

HOUR_MS = 3_600_000
START_MS = 1_793_534_400_000


class _Wall:
    def __init__(self) -> None:
        self.now_ms = START_MS

    def pass_hours(self, hours: float) -> None:
        self.now_ms += int(hours * HOUR_MS)


@pytest.fixture
def wall() -> _Wall:
    return _Wall()


@pytest.fixture
def feed(tmp_path: Path, wall: _Wall) -> Iterator[EmbeddedFeed]:
    clock = Clock(now_ms=lambda: wall.now_ms)
    feed = EmbeddedFeed(tmp_path / "feed", parse_options({}), clock=clock)
    feed.ensure_topics()
    yield feed
    feed.close()


def _ends(feed: EmbeddedFeed, topic: str) -> dict[TopicPartition, int]:
    return {TopicPartition(topic, n): bounds.end for n, bounds in feed.bounds(topic).items()}


def _kept(feed: EmbeddedFeed, topic: str) -> int:
    return sum(bounds.end - bounds.start for bounds in feed.bounds(topic).values())


def _pass_all(feed: EmbeddedFeed, topic: Topic) -> None:
    for group in CONSTANT_READERS[topic]:
        feed.set_committed(group, _ends(feed, topic))


@pytest.mark.parametrize("topic", [t for t in Topic if CONSTANT_READERS[t]])
def test_what_a_reader_that_never_ran_has_not_passed_stays(
    feed: EmbeddedFeed, wall: _Wall, topic: Topic
) -> None:
    publish(feed, topic, make_records(40))
    for group in CONSTANT_READERS[topic][1:]:
        feed.set_committed(group, _ends(feed, topic))

    wall.pass_hours(100_000)

    assert feed.trim() == 0
    assert _kept(feed, topic) == 40


@pytest.mark.parametrize("topic", [t for t in Topic if CONSTANT_READERS[t]])
def test_what_all_have_passed_stays_for_its_time_and_then_goes(
    feed: EmbeddedFeed, wall: _Wall, topic: Topic
) -> None:
    publish(feed, topic, make_records(40))
    _pass_all(feed, topic)
    hours = parse_options({}).retention_hours[topic]

    wall.pass_hours(hours)
    assert feed.trim() == 0
    wall.pass_hours(0.01)
    assert feed.trim() == 40

    ends = _ends(feed, topic)
    assert {n: bounds.start for n, bounds in feed.bounds(topic).items()} == {
        place.partition: end for place, end in ends.items()
    }


def test_the_slowest_reader_decides_partition_by_partition(feed: EmbeddedFeed, wall: _Wall) -> None:
    publish(feed, Topic.EVENTS, make_records(40))
    seams = _ends(feed, Topic.EVENTS)
    publish(feed, Topic.EVENTS, make_records(40))
    sink, projector = CONSTANT_READERS[Topic.EVENTS]
    feed.set_committed(sink, _ends(feed, Topic.EVENTS))
    feed.set_committed(projector, seams | {TopicPartition(Topic.EVENTS, 2): 0})
    wall.pass_hours(1000)

    feed.trim()

    starts = {n: bounds.start for n, bounds in feed.bounds(Topic.EVENTS).items()}
    expected = {place.partition: seam for place, seam in seams.items()} | {2: 0}
    assert starts == expected


def test_a_record_in_the_middle_of_what_was_passed_keeps_its_chunk(
    feed: EmbeddedFeed, wall: _Wall
) -> None:
    publish(feed, Topic.EVENTS, make_records(40))
    reached = {place: end - 1 for place, end in _ends(feed, Topic.EVENTS).items()}
    for group in CONSTANT_READERS[Topic.EVENTS]:
        feed.set_committed(group, reached)
    wall.pass_hours(1000)

    assert feed.trim() == 0


def test_changes_go_by_age_alone(feed: EmbeddedFeed, wall: _Wall) -> None:
    publish(feed, Topic.CHANGES, make_records(20))
    wall.pass_hours(0.6)
    publish(feed, Topic.CHANGES, make_records(10))
    wall.pass_hours(0.6)

    assert feed.trim() == 20
    assert _kept(feed, Topic.CHANGES) == 10


def test_many_chunks_go_in_several_steps(
    feed: EmbeddedFeed, wall: _Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNKS_A_STEP", 2)
    for _ in range(11):
        publish(feed, Topic.CHANGES, make_records(8))
    wall.pass_hours(2)

    assert feed.trim() == 88
    assert _kept(feed, Topic.CHANGES) == 0


def test_trimming_nothing_deletes_nothing(feed: EmbeddedFeed) -> None:
    assert feed.trim() == 0

"""A lane that has something to pin: what is pinned, where, and by whom."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from feed.adapters.embedded import EmbeddedFeed
from feed.consumer import Lane, LaneConsumer
from feed.loop import ConsumeLoop
from feed.pinning import Missing
from feed.ports import TopicPartition
from feed.topics import Topic
from tests.fakes import FakeClock
from tests.unit.feed.loops import (
    Keeper,
    backpressure,
    consuming,
    live,
    open_test_feed,
    position,
    publish_events,
    turn_until_committed,
)

PLACE = TopicPartition(Topic.EVENTS, 0)
TURNS = 400


@dataclass
class KeptPins:
    """Pins in memory; `before_commit` and `troubles` are what a test does in between."""

    of: int | None = 2
    kept: dict[TopicPartition, int] = field(default_factory=dict)
    assignments: int = 0
    before_commit: Callable[[], object] = lambda: None
    troubles: list[Exception] = field(default_factory=list)

    def on_assigned(self) -> None:
        self.assignments += 1

    def missing(self, partitions: frozenset[TopicPartition]) -> Missing | None:
        left = partitions - self.kept.keys()
        if self.of is None or not left:
            return None
        if self.troubles:
            raise self.troubles.pop(0)
        self.before_commit()
        return Missing(self.of, left)

    def pin(self, missing: Missing, positions: Mapping[TopicPartition, int]) -> None:
        assert missing.of == self.of
        self.kept |= positions


def pinning(keeper: Keeper, pins: KeptPins) -> Lane:
    return replace(live(keeper, batch_records=3), pins=pins)


def turn_until(consumer: LaneConsumer, condition: Callable[[], object]) -> None:
    for _ in range(TURNS):
        if condition():
            return
        consumer.turn(timeout_s=0.05)
    raise AssertionError(f"it did not come true in {TURNS} turns")


@contextmanager
def usurping(feed: EmbeddedFeed, consumer: LaneConsumer, lane: Lane) -> Iterator[LaneConsumer]:
    """Another member, for which the process of `consumer` is dead; `consumer` knows nothing of
    it."""
    lock = consumer._consumer._membership._lock  # type: ignore[attr-defined]  # the embedded one's
    os.close(lock._handle)
    lock._handle = None
    with consuming(feed, lane) as other:
        yield other


def test_a_lane_is_pinned_where_it_stands_after_its_turn(feed: EmbeddedFeed) -> None:
    publish_events(feed, 5)
    pins = KeptPins()
    with consuming(feed, pinning(Keeper(), pins)) as consumer:
        turn_until_committed(consumer)
        assert pins.kept == {PLACE: 3}
        turn_until_committed(consumer)
    assert pins.kept == {PLACE: 3}
    assert pins.assignments == 1


def test_idle_partitions_are_pinned_too_and_nothing_is_said_to_be_handled(tmp_path: Path) -> None:
    feed = open_test_feed(tmp_path, partitions=3)
    pins = KeptPins()
    lane = pinning(Keeper(), pins)
    with consuming(feed, lane) as consumer:
        turn_until(consumer, lambda: pins.kept)
    assert pins.kept == {TopicPartition(Topic.EVENTS, number): 0 for number in range(3)}
    assert [position(feed, lane, partition=number) for number in range(3)] == [0, 0, 0]
    feed.close()


def test_an_idle_partition_is_pinned_where_its_group_stands(feed: EmbeddedFeed) -> None:
    publish_events(feed, 2)
    pins = KeptPins(of=None)
    with consuming(feed, pinning(Keeper(), pins)) as consumer:
        turn_until_committed(consumer)
        pins.of = 7
        turn_until(consumer, lambda: pins.kept)
    assert pins.kept == {PLACE: 2}


def test_what_was_put_back_lies_past_the_pin(feed: EmbeddedFeed) -> None:
    publish_events(feed, 5)
    pins = KeptPins(of=None)
    keeper = Keeper()
    fake = FakeClock()
    with consuming(feed, pinning(keeper, pins), clock=fake.clock) as consumer:
        turn_until_committed(consumer)
        keeper.troubles = [backpressure()]
        pins.of = 7
        turn_until(consumer, consumer.is_waiting)
        fake.move(60)
        turn_until_committed(consumer)
    assert pins.kept == {PLACE: 5}
    assert keeper.handled == [f"e-{n}" for n in range(5)]


def test_who_lost_the_partition_meanwhile_pins_nothing(feed: EmbeddedFeed) -> None:
    """It learned of what is new before the new owner did, who handles without it."""
    pins, others = KeptPins(), KeptPins(of=None)
    with consuming(feed, pinning(Keeper(), pins)) as consumer:

        def lose() -> None:
            pins.before_commit = lambda: None
            publish_events(feed, 3)
            with usurping(feed, consumer, pinning(Keeper(), others)) as other:
                turn_until_committed(other)

        pins.before_commit = lose
        consumer.turn(timeout_s=0.5)
        assert pins.kept == {}
        turn_until(consumer, lambda: pins.kept)
    assert pins.kept == {PLACE: 3}
    assert pins.assignments == 2


def test_pins_that_cannot_be_told_now_are_waited_for(feed: EmbeddedFeed) -> None:
    pins = KeptPins(troubles=[backpressure(retry_after_s=5.0)])
    fake = FakeClock()
    with consuming(feed, pinning(Keeper(), pins), clock=fake.clock) as consumer:
        turn_until(consumer, consumer.is_waiting)
        assert pins.kept == {}
        fake.move(60)
        turn_until(consumer, lambda: pins.kept)
        assert not consumer.is_waiting()


def test_a_log_that_lost_its_beginning_is_not_hidden_by_a_pin(feed: EmbeddedFeed) -> None:
    publish_events(feed, 3)
    lane = pinning(Keeper(), KeptPins())
    with consuming(feed, lane) as consumer, pytest.MonkeyPatch.context() as patch:
        bounds = feed.bounds(Topic.EVENTS)
        trimmed = {0: replace(bounds[0], start=2)}
        patch.setattr(feed, "bounds", lambda _topic: trimmed)
        patch.setattr(type(consumer._consumer), "poll", lambda *_, **__: [])
        consumer._assigned = frozenset({PLACE})
        consumer.turn(timeout_s=0.0)
    assert lane.pins == KeptPins()
    assert feed.committed(lane.group, lane.topic) == {}


def test_a_drain_ends_with_every_partition_pinned(tmp_path: Path) -> None:
    feed = open_test_feed(tmp_path, partitions=3)
    pins = KeptPins()
    ConsumeLoop(feed, [pinning(Keeper(), pins)], stop=threading.Event(), once=True).run()
    assert len(pins.kept) == 3
    feed.close()

"""Pins of a generation that is being built: whatever happens to projectors, all that lies past a
pin is written into it, and all that lies before is written into the old one."""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from feed.adapters.embedded import EmbeddedFeed
from feed.adapters.embedded.options import parse_options
from feed.clock import Clock
from feed.consumer import Lane, LaneConsumer
from feed.deliveries import Delivery, Poison
from feed.errors import Backpressure
from feed.pinning import Missing
from feed.ports import TopicPartition
from feed.topics import Group, Topic
from tests.fakes import FakeClock
from tests.unit.feed.loops import publish_events
from timeseries.generations import KEPT_S, GenerationReader
from timeseries.lifecycle import begin_generation, mark_ready, pins
from timeseries.models import Generation, GenerationPin
from timeseries.pins import GenerationPins

pytestmark = pytest.mark.django_db
OLD, NEW = 1, 2
PARTITIONS = 2
PLACES = frozenset(TopicPartition(Topic.EVENTS, number) for number in range(PARTITIONS))
TURNS = 200
MOST_MEMBERS = 3
LOOK_S = 1.1
"""How often members look whether others live: a little more than a sixth of a lease."""
Written = Mapping[int, set[tuple[int, int]]]
"""By generation: the (partition, offset) of what was written into it."""


class Killed(Exception):
    """The process ends here."""


@dataclass
class Member:
    """A projector's process: a lane of its own, which knows of generations what it has read, and
    whose next passage through a named place a test interrupts."""

    feed: EmbeddedFeed
    feed_time: FakeClock
    time: FakeClock
    written: Written
    interruptions: dict[str, Callable[[], object]] = field(default_factory=dict)
    is_alive: bool = True

    def __post_init__(self) -> None:
        self.reader = GenerationReader(self.time.clock.monotonic_s)
        self._pins = GenerationPins(self.reader)
        lane = Lane("live", Group.PROJECTOR, Topic.EVENTS, self, batch_records=3, pins=self)
        self.consumer = LaneConsumer(self.feed, lane, clock=Clock(), sleep=lambda _s: None)

    def turn(self) -> None:
        if self.is_alive:
            try:
                self.consumer.turn(timeout_s=0.0)
            except Killed:
                self.die()

    def die(self) -> None:
        self.is_alive = False
        self.look_dead()
        heart = self.consumer._consumer._membership._heart  # type: ignore[attr-defined]  # embedded
        if heart is not None:
            heart.stop()

    def look_dead(self) -> None:
        """Others see the process gone when they look, while it knows nothing of it."""
        lock = self.consumer._consumer._membership._lock  # type: ignore[attr-defined]  # embedded
        if lock is not None and lock._handle is not None:
            os.close(lock._handle)
            lock._handle = None
        self.feed_time.move(LOOK_S)

    def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
        """As the projector: the generations are read once a batch."""
        generations = self.reader.current().written
        self._reach("before_write")
        for each in batch:
            for generation in generations:
                self.written[generation].add((each.record.partition, each.record.offset))
        self._reach("after_write")
        return ()

    def on_assigned(self) -> None:
        self._pins.on_assigned()

    def missing(self, partitions: frozenset[TopicPartition]) -> Missing | None:
        self._reach("before_missing")
        found = self._pins.missing(partitions)
        if found is not None:
            self._reach("before_commit")
        return found

    def pin(self, missing: Missing, positions: Mapping[TopicPartition, int]) -> None:
        self._reach("before_pin")
        self._pins.pin(missing, positions)
        self._reach("after_pin")

    def _reach(self, place: str) -> None:
        self.interruptions.pop(place, lambda: None)()


@dataclass(frozen=True)
class Step:
    """Something that happens: a method of World and its arguments."""

    name: str
    arguments: tuple[Any, ...] = ()

    def take(self, world: "World") -> None:
        getattr(world, self.name)(*self.arguments)


class World:
    """Projectors, one feed, and what a hypothesis does to them."""

    def __init__(self, folder: Path) -> None:
        self.feed_time, self.time = FakeClock(), FakeClock()
        options = parse_options({"partitions": str(PARTITIONS)})
        self.feed = EmbeddedFeed(folder / "feed", options, clock=self.feed_time.clock)
        self.feed.ensure_topics()
        self.written: Written = defaultdict(set)
        self.members: list[Member] = []
        self.published = 0

    def publish(self, count: int) -> None:
        publish_events(self.feed, count, prefix=f"e{self.published}")
        self.published += count

    def start(self) -> None:
        if sum(member.is_alive for member in self.members) < MOST_MEMBERS:
            self.members.append(Member(self.feed, self.feed_time, self.time, self.written))

    def begin(self) -> None:
        if not Generation.objects.filter(number=NEW).exists():
            begin_generation()

    def turn(self, index: int) -> None:
        self.member(index).turn()

    def wait(self, seconds: float) -> None:
        self.time.move(seconds)

    def member(self, index: int) -> Member:
        return self.members[index % len(self.members)]

    def kill(self, index: int, place: str) -> None:
        def killed() -> None:
            raise Killed

        self.member(index).interruptions[place] = killed

    def usurp(self, index: int, place: str, steps: Sequence[Step]) -> None:
        """While the member is at this place, others take it for dead, and these steps happen."""
        usurped = self.member(index)

        def usurping() -> None:
            usurped.look_dead()
            usurped.is_alive = False  # it has no turn within its own
            for step in steps:
                step.take(self)
            usurped.is_alive = True

        usurped.interruptions[place] = usurping

    def finish(self) -> None:
        """All processes end, and one that is never interrupted does what is left."""
        for member in self.members:
            member.die()
        self.start()
        last = self.members[-1]
        self.time.move(KEPT_S)
        for _ in range(TURNS):
            if pins(NEW).keys() == PLACES and self._is_drained():
                return
            last.turn()
        raise AssertionError(f"not drained in {TURNS} turns")

    def _is_drained(self) -> bool:
        committed = self.feed.committed(Group.PROJECTOR, Topic.EVENTS)
        return all(
            not bounds.end or (number in committed and committed[number].position == bounds.end)
            for number, bounds in self.feed.bounds(Topic.EVENTS).items()
        )

    def check(self) -> None:
        pinned = pins(NEW)
        for number, bounds in self.feed.bounds(Topic.EVENTS).items():
            offsets = range(bounds.start, bounds.end)
            pin = pinned[TopicPartition(Topic.EVENTS, number)]
            past = {(number, offset) for offset in offsets if offset >= pin}
            assert past <= self.written[NEW]
            assert {(number, offset) for offset in offsets} <= self.written[OLD]

    def close(self) -> None:
        for member in self.members:
            member.die()
        self.feed.close()


PLACES_IN_A_TURN = st.sampled_from(
    ["before_write", "after_write", "before_missing", "before_commit", "before_pin", "after_pin"]
)
INDEX = st.integers(0, 2)
SIMPLE_STEPS = st.one_of(
    st.builds(Step, st.just("turn"), st.tuples(INDEX)),
    st.builds(Step, st.just("publish"), st.tuples(st.integers(1, 4))),
    st.builds(Step, st.just("wait"), st.tuples(st.sampled_from([0.4, KEPT_S]))),
    st.just(Step("begin")),
)
STEPS = st.lists(
    st.one_of(
        SIMPLE_STEPS,
        st.just(Step("start")),
        st.builds(Step, st.just("kill"), st.tuples(INDEX, PLACES_IN_A_TURN)),
        st.builds(
            Step,
            st.just("usurp"),
            st.tuples(INDEX, PLACES_IN_A_TURN, st.lists(SIMPLE_STEPS, max_size=8)),
        ),
    ),
    max_size=30,
)


def turns(*members: int) -> list[Step]:
    return [Step("turn", (member,)) for member in members]


A, B = 0, 1
SETTLED = [*turns(A, B) * 8]
"""Each of the two owns a partition."""
BEGIN, WAIT, PUBLISH = Step("begin"), Step("wait", (KEPT_S,)), Step("publish", (4,))
A_LITTLE = Step("wait", (KEPT_S * 0.6,))
LATE_LEARNER = [*SETTLED, PUBLISH, BEGIN, *turns(A, B), PUBLISH, *turns(A, B), WAIT, *turns(A, B)]
NEW_OWNER_THAT_READ_JUST_BEFORE = [
    *(*SETTLED, WAIT, *turns(A), A_LITTLE, *turns(B), BEGIN, A_LITTLE, *turns(A)),
    *(Step("kill", (A, "before_missing")), *turns(A), PUBLISH, *turns(*[B] * 8)),
]
OWNER_THAT_LEARNS_AFTER_IT_LOST = [
    *(*SETTLED, WAIT),
    Step("usurp", (A, "before_missing", [*turns(*[B] * 4), BEGIN, PUBLISH, *turns(*[B] * 4)])),
    *(*turns(A), PUBLISH, *turns(*[B] * 4)),
]
KILLED_BEFORE_THE_PIN = [
    *(*SETTLED, BEGIN, WAIT, Step("kill", (A, "before_pin")), *turns(A), PUBLISH),
    *turns(*[B] * 8),
]
KILLED_BEFORE_THE_WRITE = [
    *(*SETTLED, BEGIN, WAIT, *turns(A, B), PUBLISH, Step("kill", (A, "before_write"))),
    *turns(A, *[B] * 8),
]
REDELIVERY = [
    *(*SETTLED, PUBLISH, Step("kill", (A, "after_write")), Step("kill", (B, "after_write"))),
    *(*turns(A, B), BEGIN, Step("start"), *turns(2, 2)),
]


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(LATE_LEARNER)
@example(NEW_OWNER_THAT_READ_JUST_BEFORE)
@example(OWNER_THAT_LEARNS_AFTER_IT_LOST)
@example(KILLED_BEFORE_THE_PIN)
@example(KILLED_BEFORE_THE_WRITE)
@example(REDELIVERY)
@given(STEPS)
def test_whatever_happens_all_past_a_pin_is_in_the_new_generation(steps: Sequence[Step]) -> None:
    Generation.objects.exclude(number=OLD).delete()
    GenerationPin.objects.all().delete()
    folder = Path(tempfile.mkdtemp())
    world = World(folder)
    try:
        for step in (Step("start"), Step("start"), *steps, BEGIN):
            step.take(world)
        world.finish()
        world.check()
    finally:
        world.close()
        shutil.rmtree(folder)


def test_nothing_is_pinned_unless_a_generation_is_being_built() -> None:
    keeper = GenerationPins(GenerationReader())
    assert keeper.missing(PLACES) is None

    begin_generation()
    keeper.on_assigned()
    assert keeper.missing(PLACES) == Missing(NEW, PLACES)

    mark_ready(NEW)
    keeper.on_assigned()
    assert keeper.missing(PLACES) is None


def test_a_pin_stays_and_is_known_to_the_next_owner() -> None:
    begin_generation()
    first, *others = sorted(PLACES)
    one, two = GenerationPins(GenerationReader()), GenerationPins(GenerationReader())
    missing = one.missing(frozenset({first}))
    assert missing is not None

    one.pin(missing, {first: 7})
    two.pin(missing, {first: 9})

    assert pins(NEW) == {first: 7}
    assert two.missing(PLACES) == Missing(NEW, frozenset(others))


def test_a_generation_that_was_dropped_meanwhile_gets_no_pin() -> None:
    begin_generation()
    keeper = GenerationPins(GenerationReader())
    missing = keeper.missing(PLACES)
    assert missing is not None
    Generation.objects.filter(number=NEW).update(state=Generation.State.DROPPED)

    keeper.pin(missing, dict.fromkeys(PLACES, 3))

    assert pins(NEW) == {}
    keeper.on_assigned()
    assert keeper.missing(PLACES) is None
    assert begin_generation() == 3
    keeper.on_assigned()
    assert keeper.missing(PLACES) == Missing(3, PLACES)


def test_a_database_that_is_away_is_backpressure(monkeypatch: pytest.MonkeyPatch) -> None:
    begin_generation()
    keeper = GenerationPins(GenerationReader())
    missing = keeper.missing(PLACES)
    assert missing is not None

    def locked(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(type(GenerationPin.objects), "bulk_create", locked)
    with pytest.raises(Backpressure, match="database is locked"):
        keeper.pin(missing, dict.fromkeys(PLACES, 3))

"""Whoever looks through much of the warehouse and finds little keeps its lease, hears people, and
stops in time: each look at the file takes seconds here, on a clock of the test's own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from feed.ticket import Ticket
from replay import estimating, leases, orders, services
from replay.domain import Span, State
from replay.emission import Emission
from replay.estimating import EstimateStopped, estimate_within
from replay.leases import Lease
from replay.models import Replay
from replay.rows import cursor_of
from replay.verification.sides import Sides
from tests.builders import NOON_MS, make_event, make_row
from tests.fakes import FakeClock
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import ANNA, HOUR_MS, fill, make_order, make_replayer, started
from warehouse.adapters.embedded import reading
from warehouse.errors import StoreUnavailable


@dataclass
class Looks:
    """How long each look takes, and what happens then, told how many there were."""

    clock: FakeClock
    takes_s: float = 5.0
    count: int = 0
    then: Callable[[int], object] = field(default=lambda count: None)

    def look(self) -> None:
        self.count += 1
        self.clock.move(self.takes_s)
        self.then(self.count)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Slow looks, at a few rows each."""
    made = Looks(FakeClock())

    def slow(work: Callable[..., object]) -> Callable[..., object]:
        def looked(*args: object) -> object:
            found = work(*args)
            made.look()
            return found

        return looked

    monkeypatch.setattr(reading, "LOOK_ROWS", 20)
    monkeypatch.setattr(reading, "_all", slow(reading._all))
    return made


def with_rare(pipeline: LocalPipeline, *, at_ms: int) -> Replay:
    """A replay of one event among five hours of others."""
    rare = make_row(make_event(event="rare", occurred_at_ms=at_ms))
    fill(pipeline, 300)
    pipeline.events.append([rare])
    return started(pipeline, make_order(events=("rare",)))


def emission(pipeline: LocalPipeline, looks: Looks, stop: threading.Event) -> Emission:
    clock = looks.clock.clock
    row = leases.claim("a", now_ms=clock.now_ms())
    assert row is not None
    return Emission(
        *(row, Lease(row.id, "a", row.epoch)),
        feed=pipeline.feed,
        store=pipeline.events,
        stop=stop,
        clock=clock,
        waits_for_projector=False,
    )


def no_other_gets_it(looks: Looks) -> Callable[[int], None]:
    def claim(_: int) -> None:
        assert leases.claim("b", now_ms=looks.clock.clock.now_ms()) is None

    return claim


def test_a_replay_of_a_rare_event_keeps_its_lease(pipeline: LocalPipeline, looks: Looks) -> None:
    row = with_rare(pipeline, at_ms=NOON_MS - 1)
    working = emission(pipeline, looks, threading.Event())
    looks.then = no_other_gets_it(looks)

    assert working.run() is State.DRAINING
    done = services.get(row.id)
    assert (done.read, done.emitted) == (1, 1)


def test_a_pause_is_heard_in_a_gap_and_the_gap_is_not_read_again(
    pipeline: LocalPipeline, looks: Looks
) -> None:
    row = with_rare(pipeline, at_ms=NOON_MS - 1)
    working = emission(pipeline, looks, threading.Event())
    before = looks.count
    looks.then = lambda count: services.pause(row.id, ANNA) if count == before + 10 else None

    assert working.run() is State.PAUSED
    paused, heard_after = services.get(row.id), looks.count - before
    looks.then = lambda _: None
    services.resume(row.id, ANNA)
    before = looks.count
    assert emission(pipeline, looks, threading.Event()).run() is State.DRAINING

    cursor = cursor_of(paused)
    assert cursor is not None
    assert cursor.checkpoint.partition.hour_ms > NOON_MS - 5 * HOUR_MS
    assert (heard_after, looks.count - before) == (10, 6)
    done = services.get(row.id)
    assert (done.read, done.emitted) == (1, 1)


def test_no_gap_is_passed_before_what_lies_ahead_of_it_is_acknowledged(
    pipeline: LocalPipeline, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = with_rare(pipeline, at_ms=NOON_MS - 5 * HOUR_MS)
    stop = threading.Event()
    working = emission(pipeline, looks, stop)
    monkeypatch.setattr(pipeline.feed, "publish", lambda _, records: Ticket(len(records)))
    before = looks.count
    looks.then = lambda count: stop.set() if count == before + 10 else None
    monkeypatch.setattr("replay.emission.LET_GO_S", 0.0)

    assert working.run() is State.RUNNING
    left = services.get(row.id)
    assert (left.emitted, left.cursor, looks.count - before) == (0, None, 10)


def test_a_gap_is_passed_with_what_was_acknowledged(pipeline: LocalPipeline, looks: Looks) -> None:
    row = with_rare(pipeline, at_ms=NOON_MS - 5 * HOUR_MS)
    stop = threading.Event()
    working = emission(pipeline, looks, stop)
    before = looks.count
    looks.then = lambda count: stop.set() if count == before + 10 else None

    assert working.run() is State.RUNNING
    left = services.get(row.id)
    cursor = cursor_of(left)
    assert cursor is not None
    assert (left.emitted, cursor.checkpoint.partition.hour_ms > NOON_MS - 5 * HOUR_MS) == (1, True)


@pytest.mark.parametrize("events", [(), ("never seen",)])
def test_counting_stops_within_its_time_whatever_it_finds(
    pipeline: LocalPipeline,
    looks: Looks,
    monkeypatch: pytest.MonkeyPatch,
    events: tuple[str, ...],
) -> None:
    fill(pipeline, 300)
    source = make_order(events=events).source
    began_s = looks.clock.elapsed_s
    fake = SimpleNamespace(monotonic=looks.clock.clock.monotonic_s)
    monkeypatch.setattr(estimating, "time", fake)

    with pytest.raises(EstimateStopped):
        estimate_within(12.0, pipeline.events, source)
    assert looks.clock.elapsed_s - began_s == 15.0


def test_counting_a_big_hour_keeps_the_lease(
    pipeline: LocalPipeline, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 300)
    with monkeypatch.context() as patched:
        patched.setattr(pipeline.events, "hours", _away)
        hour = make_order(from_ms=NOON_MS - HOUR_MS)
        draft = orders.create(hour, ANNA, pipeline.events)
    services.count_again(draft.id, ANNA)
    replayer = make_replayer(pipeline, clock=looks.clock.clock)
    looks.takes_s, looks.then = 10.0, no_other_gets_it(looks)

    replayer.run(once=True)

    counted = services.get(draft.id)
    assert (counted.state, counted.estimated) == ("ready", 60)


def test_a_comparison_ticks_within_an_hour(pipeline: LocalPipeline, looks: Looks) -> None:
    fill(pipeline, 300)

    def stop() -> None:
        if looks.count >= 2:
            raise InterruptedError

    sides = Sides("demo", 1, pipeline.events, pipeline.series, tick=stop)
    with pytest.raises(InterruptedError):
        list(sides.hours(Span(NOON_MS - HOUR_MS, NOON_MS)))
    assert looks.count == 2


def _away(window: object, **_: object) -> None:
    raise StoreUnavailable("the warehouse is away", retry_after_s=0.01)

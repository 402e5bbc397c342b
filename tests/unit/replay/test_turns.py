"""Replays that wait for one replayer: they take turns, and nobody waits for the end of another."""

import pytest

from replay import leases, services, tending
from replay.domain import Rate, State
from replay.leases import Lease
from replay.management.commands.run_replayer import Command
from replay.pacing import FIRST_EPS, Pace
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import Stopping, fill, make_order, make_replayer, run_to_the_end, started

NOW_MS = 1_000_000
SLOW = Rate(max_eps=30, auto=False)


def test_whoever_was_let_go_last_comes_last(pipeline: LocalPipeline) -> None:
    fill(pipeline, 30)
    first, second = started(pipeline), started(pipeline)

    taken = []
    for now_ms in range(NOW_MS, NOW_MS + 4):
        lease = claimed(now_ms)
        taken.append(lease.replay)
        leases.release(lease, now_ms=now_ms)

    assert taken == [first.id, second.id, first.id, second.id]


def test_a_small_replay_does_not_wait_for_the_end_of_a_long_one(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tending, "SAVE_S", 0.05)
    monkeypatch.setattr(tending, "SLICE_S", 0.1)
    fill(pipeline, 30)
    long = started(pipeline, make_order(rate=SLOW))
    small = started(pipeline, make_order(events=("order",)))
    emitted: list[str] = []
    move = leases.move

    def note(lease: Lease, before: State, after: State, **changes: object) -> bool:
        is_moved = move(lease, before, after, **changes)  # type: ignore[arg-type]  # as called
        if is_moved:
            emitted.append(lease.replay)
        return is_moved

    monkeypatch.setattr(leases, "move", note)

    run_to_the_end(pipeline)

    assert emitted == [small.id, long.id]
    for row in (long, small):
        assert services.get(row.id).state == State.COMPLETED
    assert (services.get(long.id).emitted, services.get(small.id).emitted) == (30, 10)


def claimed(now_ms: int) -> Lease:
    row = leases.claim("a", now_ms=now_ms)
    assert row is not None
    return Lease(row.id, "a", row.epoch)


def test_a_small_replay_is_completed_while_a_long_one_is_at_work(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tending, "LOOK_S", 0.1)
    fill(pipeline, 30)
    small = started(pipeline, make_order(events=("order",)))
    make_replayer(pipeline).run(once=True)
    long = started(pipeline, make_order(rate=SLOW))
    states: list[tuple[str, str]] = []
    move = leases.move

    def note(lease: Lease, before: State, after: State, **changes: object) -> bool:
        states.append((lease.replay, services.get(small.id).state))
        return move(lease, before, after, **changes)  # type: ignore[arg-type]  # as called

    monkeypatch.setattr(leases, "move", note)
    replayer = make_replayer(pipeline)
    replayer._store = Stopping(pipeline, 0, pipeline.project)  # type: ignore[assignment]
    assert services.get(small.id).state == State.DRAINING

    replayer.run(once=True)

    assert states == [(long.id, State.COMPLETED)]


def test_a_turn_goes_on_at_the_speed_of_the_one_before(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tending, "SAVE_S", 0.05)
    monkeypatch.setattr(tending, "SLICE_S", 0.1)
    paces: list[Pace] = []

    class Counted(Pace):
        def __init__(self, rate: Rate, *, now_s: float) -> None:
            super().__init__(rate, now_s=now_s)
            paces.append(self)

    monkeypatch.setattr("replay.replayer.Pace", Counted)
    fill(pipeline, 30)
    long, other = started(pipeline, make_order(rate=SLOW)), started(pipeline, make_order(rate=SLOW))

    run_to_the_end(pipeline)

    assert len(paces) == 2
    assert services.get(long.id).epoch > 2 < services.get(other.id).epoch


def test_a_pace_that_is_taken_up_again_is_as_slow_as_it_was() -> None:
    pace = Pace(Rate(max_eps=None, auto=True), now_s=0.0)
    for _ in range(5):
        pace.note_live_lag(5.0, seconds=1.0)

    pace.take_up(Rate(max_eps=None, auto=True), now_s=100.0)

    assert pace.allowed(2_000, now_s=100.0) == 0
    assert 0 < pace.allowed(20_000, now_s=101.0) <= FIRST_EPS / 2**5


def test_every_attempt_of_a_process_has_the_same_name() -> None:
    one, other = Command(), Command()

    assert one.replayer_name == one.replayer_name != other.replayer_name

"""Leases and epochs: one replayer works on a replay, and a sleeper that wakes late changes
nothing."""

import threading

import pytest

from feed.clock import Clock
from feed.codec import encode
from feed.errors import FeedUnavailable
from feed.fences import Fences, Origin, fence, read_fences
from feed.ports import OutgoingRecord
from feed.topics import Topic
from replay import leases, services, tending
from replay.domain import Rate, State, Throttle, Worker, throttle_words
from replay.emission import Emission
from replay.errors import LeaseLost
from replay.leases import LEASE_MS, Lease
from replay.models import Replay
from replay.reports import report
from tests.builders import make_event, make_row
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import (
    ANNA,
    Stopping,
    fill,
    make_order,
    make_replayer,
    run_to_the_end,
    started,
)

NOW_MS = 1_000_000


def claimed(pipeline: LocalPipeline, worker: str, *, now_ms: int) -> Lease:
    row = leases.claim(worker, now_ms=now_ms)
    assert row is not None
    return Lease(row.id, worker, row.epoch)


def test_who_never_was_there_is_not_lost(pipeline: LocalPipeline) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    long_after_ms = services.CLOCK.now_ms() + 60 * LEASE_MS

    waiting = report(row, now_ms=long_after_ms)
    claimed(pipeline, "a", now_ms=long_after_ms)
    alive = report(services.get(row.id), now_ms=long_after_ms)
    lost = report(services.get(row.id), now_ms=long_after_ms + LEASE_MS + 1)

    assert (waiting.worker, waiting.is_waiting) == (None, True)
    assert (alive.worker, alive.is_waiting) == (Worker.ALIVE, False)
    assert (lost.worker, lost.is_waiting) == (Worker.LOST, False)


def test_who_died_before_the_pause_is_not_missed_after_it(pipeline: LocalPipeline) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    claimed(pipeline, "a", now_ms=NOW_MS)

    services.pause(row.id, ANNA)
    paused = report(services.get(row.id), now_ms=services.CLOCK.now_ms())
    services.resume(row.id, ANNA)
    resumed = report(services.get(row.id), now_ms=services.CLOCK.now_ms())
    run_to_the_end(pipeline)

    assert (paused.worker, paused.is_waiting) == (None, False)
    assert (resumed.worker, resumed.is_waiting) == (None, True)
    assert services.get(row.id).state == "completed"


def test_two_replayers_never_hold_one_replay(pipeline: LocalPipeline) -> None:
    fill(pipeline, 30)
    started(pipeline)

    claimed(pipeline, "a", now_ms=NOW_MS)

    assert leases.claim("b", now_ms=NOW_MS + LEASE_MS) is None


def test_a_lease_that_ended_is_taken_over_and_the_sleeper_saves_nothing(
    pipeline: LocalPipeline,
) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    sleeper = claimed(pipeline, "a", now_ms=NOW_MS)

    other = claimed(pipeline, "b", now_ms=NOW_MS + LEASE_MS + 1)

    assert other.epoch == sleeper.epoch + 1
    with pytest.raises(LeaseLost):
        leases.save(sleeper, now_ms=NOW_MS, emitted=99)
    with pytest.raises(LeaseLost):
        leases.release(sleeper, now_ms=NOW_MS, emitted=99)
    assert not leases.move(
        sleeper, State.RUNNING, State.DRAINING, now_ms=NOW_MS, changes={"emitted": 99}
    )
    assert services.get(row.id).emitted == 0


def test_a_process_takes_up_its_own_lease_again(pipeline: LocalPipeline) -> None:
    fill(pipeline, 30)
    started(pipeline)

    first = claimed(pipeline, "a", now_ms=NOW_MS)

    assert claimed(pipeline, "a", now_ms=NOW_MS).epoch == first.epoch + 1


def test_of_all_later_fences_the_next_one_decides() -> None:
    fences = Fences(ends={9: {0: 90}, 3: {0: 30}, 5: {0: 50, 1: 7}})

    assert [fences.drop(2, 0, at) for at in (29, 30)] == [False, True]
    assert [fences.drop(3, 0, at) for at in (49, 50)] == [False, True]
    assert [fences.drop(4, 1, at) for at in (6, 7)] == [False, True]
    assert fences.drop(2, 1, 0)  # the partition came after the fence
    assert not fences.drop(9, 0, 1_000)


def test_late_records_of_a_sleeper_are_dropped_those_before_stand(db: None) -> None:
    fence(Origin("r", 2), {0: 10})
    fence(Origin("r", 3), {0: 50, 1: 7})
    fences = read_fences("r")

    assert not fences.drop(1, 0, 9)
    assert fences.drop(1, 0, 10)
    assert fences.drop(1, 1, 0)  # a partition that came later
    assert not fences.drop(2, 0, 49)
    assert fences.drop(2, 0, 50)
    assert not fences.drop(3, 0, 999)


def test_the_projector_leaves_out_what_counts_for_nothing(pipeline: LocalPipeline) -> None:
    gone, kept = make_event(event="gone"), make_event(event="kept")
    fence(Origin("r", 2), {})
    pipeline.publish(
        Topic.HISTORY,
        [
            OutgoingRecord(gone.key, encode(gone), Origin("r", 1).headers()),
            OutgoingRecord(kept.key, encode(kept), Origin("r", 2).headers()),
        ],
    )

    pipeline.project()

    seen = pipeline.series.events_seen("demo", generation=1, limit=9)
    assert [each.event for each in seen] == ["kept"]


def test_a_cancelled_replay_is_projected_no_further(pipeline: LocalPipeline) -> None:
    events = fill(pipeline, 30)
    late = make_event(event="late", occurred_at_ms=events[0].occurred_at_ms)
    pipeline.events.append([make_row(late)])
    row = started(pipeline)
    make_replayer(pipeline).run(once=True)
    assert services.get(row.id).state == "draining"

    cancelled = services.cancel(row.id, ANNA)
    pipeline.project()

    assert (cancelled.state, cancelled.emitted) == ("cancelled", 31)
    assert "late" not in {
        each.event for each in pipeline.series.events_seen("demo", generation=1, limit=9)
    }


def emission(
    pipeline: LocalPipeline, lease: Lease, store: object, stop: threading.Event
) -> Emission:
    return Emission(
        services.get(lease.replay),
        lease,
        feed=pipeline.feed,
        store=store,  # type: ignore[arg-type]
        stop=stop,
        clock=Clock(),
    )


def test_a_stopped_replayer_is_followed_from_its_checkpoint(pipeline: LocalPipeline) -> None:
    fill(pipeline, 9_000)
    row = started(pipeline)
    stop = threading.Event()
    lease = claimed(pipeline, "a", now_ms=NOW_MS)

    left = emission(pipeline, lease, Stopping(pipeline, 2, stop.set), stop).run()
    between = services.get(row.id)
    run_to_the_end(pipeline)

    assert left is State.RUNNING
    assert 0 < between.emitted < 9_000
    assert (between.worker, between.cursor is None) == ("", False)
    done = services.get(row.id)
    assert (done.state, done.emitted, done.projected, done.read) == (
        *("completed", 9_000),
        *(9_000, 9_000),
    )
    ends = sum(bound.end for bound in pipeline.feed.bounds(Topic.HISTORY).values())
    assert ends == 9_000  # nothing was emitted twice


@pytest.mark.parametrize(
    ("move", "state"), [(services.pause, "paused"), (services.cancel, "cancelled")]
)
def test_pause_and_cancel_are_obeyed_and_say_what_was_emitted(
    pipeline: LocalPipeline, move: object, state: str
) -> None:
    fill(pipeline, 900)
    row = started(pipeline, make_order(rate=Rate(max_eps=300, auto=False)))
    lease = claimed(pipeline, "a", now_ms=services.CLOCK.now_ms())
    working = emission(pipeline, lease, pipeline.events, threading.Event())
    asked = Stopping(pipeline, 0, lambda: move(row.id, ANNA))  # type: ignore[operator]
    working._store = asked  # type: ignore[assignment]
    working.run()

    found = services.get(row.id)
    ends = sum(bound.end for bound in pipeline.feed.bounds(Topic.HISTORY).values())
    assert (found.state, found.worker) == (state, "")
    assert found.emitted == ends < 900


def test_a_feed_that_is_away_is_waited_for(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 60)
    row = started(pipeline)
    publish, troubles = pipeline.feed.publish, [FeedUnavailable(retry_after_s=0.01)] * 3

    def troubled(topic: str, records: object) -> object:
        if topic == Topic.HISTORY and troubles:
            raise troubles.pop()
        return publish(topic, records)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline.feed, "publish", troubled)
    make_replayer(pipeline).run(once=True)

    assert services.get(row.id).emitted == 60
    assert Replay.objects.get().state == "draining"


def test_one_that_waits_for_a_projector_that_does_not_run_says_so(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.emission.PAGE_ROWS", 10)
    monkeypatch.setattr("replay.pacing.FIRST_AHEAD", 10)
    monkeypatch.setattr(tending, "SAVE_S", 0.05)
    fill(pipeline, 30)
    started(pipeline)
    stop, said, save = threading.Event(), [""], leases.save

    def note(lease: Lease, *, now_ms: int, **changes: object) -> Replay:
        said.append(str(changes["throttled_by"]))
        if said[-1]:
            stop.set()
        return save(lease, now_ms=now_ms, **changes)

    monkeypatch.setattr(leases, "save", note)
    lease = claimed(pipeline, "a", now_ms=NOW_MS)
    emission(pipeline, lease, pipeline.events, stop).run()

    assert said[-1] == Throttle.PROJECTOR
    assert throttle_words(Throttle.PROJECTOR, State.RUNNING) == "waits for a projector: none runs"


def test_a_bug_fails_the_replay_and_retry_goes_on_from_the_checkpoint(
    pipeline: LocalPipeline,
) -> None:
    fill(pipeline, 9_000)
    row = started(pipeline)

    def broken() -> None:
        raise RuntimeError("a bug")

    replayer = make_replayer(pipeline)
    replayer._store = Stopping(pipeline, 3, broken)  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="a bug"):
        replayer.run(once=True)
    failed = services.get(row.id)
    services.retry(row.id, ANNA)
    run_to_the_end(pipeline)

    assert (failed.state, failed.error_detail) == ("failed", "RuntimeError: a bug")
    done = services.get(row.id)
    assert (done.state, done.emitted, done.projected) == ("completed", 9_000, 9_000)
    assert [entry.action for entry in services.log_of(row.id)] == [
        *("create", "start", "work", "retry", "work", "complete"),
    ]

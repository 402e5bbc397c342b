"""What a cancelled or failed replay says of how much it emitted, and that its log says the same as
its row, whenever the process is killed."""

from collections.abc import Sequence

import pytest

from feed.ports import OutgoingRecord
from feed.ticket import Logged, Ticket
from feed.topics import Topic
from replay import emission, journal, leases, sending, services
from replay.domain import State
from replay.leases import Lease
from replay.models import Replay
from replay.reports import report
from replay.serializers import replay_as_json
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import ANNA, fill, make_replayer, run_to_the_end, started

PAST_MS = 1_000


def seen(replay: str) -> tuple[str, int, str]:
    """State, events emitted, and the code of what is wrong with that."""
    row = services.get(replay)
    return row.state, row.emitted, row.error_code


def last_words(replay: str) -> str:
    return services.log_of(replay)[-1].detail


def left_by_the_dead(replay: str, *, emitted: int = 17) -> Lease:
    """A lease that ran out on a replay of which so many were saved as emitted."""
    row = leases.claim("dead", now_ms=PAST_MS)
    assert row is not None
    lease = Lease(row.id, "dead", row.epoch)
    leases.save(lease, now_ms=PAST_MS, emitted=emitted)
    assert row.id == replay
    return lease


def test_whose_replayer_died_says_at_least(pipeline: LocalPipeline) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    left_by_the_dead(row.id)

    services.cancel(row.id, ANNA)

    assert seen(row.id) == ("cancelled", 17, "emitted_at_least")
    assert last_words(row.id).startswith("at least 17 events emitted")
    shown = replay_as_json(report(services.get(row.id), now_ms=PAST_MS))
    assert shown["error"] == {"code": "emitted_at_least", "detail": last_words(row.id)}


def test_so_does_one_whose_replayer_dies_before_it_hears_of_it(pipeline: LocalPipeline) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    lease = left_by_the_dead(row.id)
    leases.save(lease, now_ms=services.CLOCK.now_ms())
    assert services.cancel(row.id, ANNA).state == "cancelling"
    Replay.objects.filter(pk=row.id).update(lease_until_ms=PAST_MS)

    make_replayer(pipeline).run(once=True)

    assert seen(row.id) == ("cancelled", 17, "emitted_at_least")
    assert last_words(row.id).startswith("at least 17 events emitted")


def test_a_pause_in_between_hides_nothing(pipeline: LocalPipeline) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    left_by_the_dead(row.id)

    services.pause(row.id, ANNA)
    services.resume(row.id, ANNA)
    services.cancel(row.id, ANNA)

    assert seen(row.id) == ("cancelled", 17, "emitted_at_least")


def test_whom_nobody_left_says_exactly(pipeline: LocalPipeline) -> None:
    fill(pipeline, 30)
    drained, fresh = started(pipeline), started(pipeline)
    services.pause(fresh.id, ANNA)
    make_replayer(pipeline).run(once=True)

    for row in (drained, fresh):
        services.cancel(row.id, ANNA)

    assert seen(drained.id) == ("cancelled", 30, "")
    assert seen(fresh.id) == ("cancelled", 0, "")
    assert last_words(drained.id) == "30 events emitted"


def refuse(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> list[bytes]:
    """The feed acknowledges one record of each publish and says this, or nothing, of the others;
    the keys of those acknowledged."""
    logged: list[bytes] = []

    def publish(topic: str, records: Sequence[OutgoingRecord]) -> Ticket:
        ticket = Ticket(len(records))
        assert topic == Topic.HISTORY
        for index, record in enumerate(records):
            if index == 0:
                logged.append(record.key)
                ticket.settle(index, Logged(0, len(logged)))
            elif error is not None:
                ticket.settle(index, error)  # type: ignore[arg-type]  # a FeedError, or a bug
        return ticket

    monkeypatch.setattr(pipeline.feed, "publish", publish)
    monkeypatch.setattr(emission, "LET_GO_S", 0.05)
    return logged


def cancel_at_the_first_save(row: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    save = leases.save
    asked: list[Replay] = []

    def cancel_and_save(lease: Lease, **options: object) -> Replay:
        if not asked:
            asked.append(services.cancel(row.id, ANNA))
        return save(lease, **options)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(leases, "save", cancel_and_save)


def test_what_is_acknowledged_of_a_batch_in_part_is_counted(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    logged = refuse(pipeline, monkeypatch, None)
    cancel_at_the_first_save(row, monkeypatch)

    make_replayer(pipeline).run(once=True)

    assert 0 < len(logged) < 30
    assert seen(row.id) == ("cancelled", len(logged), "emitted_at_least")
    assert last_words(row.id).startswith(f"at least {len(logged)} events emitted")


def test_a_failure_keeps_what_was_acknowledged_by_then(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 3_000)
    row = started(pipeline)

    def broken(*args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(sending.Sending, "_settle_oldest", settle_then(broken))
    with pytest.raises(RuntimeError, match="a bug"):
        make_replayer(pipeline).run(once=True)
    monkeypatch.undo()

    failed = services.get(row.id)
    ends = sum(bound.end for bound in pipeline.feed.bounds(Topic.HISTORY).values())
    assert (failed.state, failed.emitted) == ("failed", ends)
    services.cancel(row.id, ANNA)
    assert last_words(row.id) == f"{ends} events emitted"


def settle_then(happen: object) -> object:
    """Settles, and the first time lets something happen after it."""
    settle = sending.Sending._settle_oldest
    calls: list[sending.Sending] = []

    def settle_oldest(self: sending.Sending) -> None:
        settle(self)
        calls.append(self)
        if len(calls) == 1:
            happen()  # type: ignore[operator]

    return settle_oldest


def test_a_failure_with_some_on_its_way_says_at_least(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    logged = refuse(pipeline, monkeypatch, RuntimeError("a bug"))

    with pytest.raises(RuntimeError, match="a bug"):
        make_replayer(pipeline).run(once=True)

    assert seen(row.id)[::2] == ("failed", "internal_error")
    assert services.get(row.id).error_detail.endswith(
        f"; at least {len(logged)} events were emitted"
    )


def test_what_fails_while_it_is_cancelled_is_cancelled(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records count for nothing any more, so that a retry would bring none."""
    fill(pipeline, 30)
    row = started(pipeline)
    now_ms = services.CLOCK.now_ms()

    def broken(*args: object, **options: object) -> None:
        Replay.objects.filter(pk=row.id).update(lease_until_ms=now_ms + 60_000)
        services.cancel(row.id, ANNA)
        raise RuntimeError("a bug")

    monkeypatch.setattr(pipeline.events, "scan", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        make_replayer(pipeline).run(once=True)

    assert seen(row.id) == ("cancelled", 0, "internal_error")


class Killed(BaseException):
    """Stands for the process's end: nothing catches it."""


@pytest.mark.parametrize("after", [State.DRAINING, State.COMPLETED])
def test_who_is_killed_before_the_log_is_written_has_moved_nothing(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch, after: State
) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    note = journal.note

    def killed(replay: str, *args: object, **options: object) -> None:
        if options["after"] is after:
            raise Killed
        note(replay, *args, **options)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(journal, "note", killed)
    with pytest.raises(Killed):
        run_to_the_end(pipeline)
    monkeypatch.setattr(journal, "note", note)
    between = services.get(row.id).state
    Replay.objects.filter(pk=row.id).update(lease_until_ms=PAST_MS)
    run_to_the_end(pipeline)

    assert between == ("running" if after is State.DRAINING else "draining")
    assert [(entry.from_state, entry.to_state) for entry in services.log_of(row.id)][-2:] == [
        *(("running", "draining"), ("draining", "completed")),
    ]

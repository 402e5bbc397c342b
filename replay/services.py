"""Everything that people ask of replays: the one service behind the admin, REST and the commands.

Permissions are the door's: whoever calls this may. Each change is one transaction with its entry in
the log. `orders` makes new ones.
"""

from collections.abc import Callable, Mapping, Sequence

from django.db import transaction

from feed.clock import Clock
from feed.fences import drop_replay, forget_refusals
from replay import journal
from replay.cancelling import emitted_of_left
from replay.domain import GENERATION_DIFFERS, LEGAL, MAX_EPS, Move, Rate, State, is_replay_id
from replay.errors import IllegalMove, InvalidReplay, UnknownReplay
from replay.journal import Actor
from replay.leases import is_held
from replay.models import Replay, ReplayLogEntry
from timeseries.lifecycle import give_up_unfinished

CLOCK = Clock()
_NONE: Mapping[str, object] = {}


def count_again(replay: str, actor: Actor, *, clock: Clock = CLOCK) -> Replay:
    """A replayer counts a draft: `estimating`, then `ready`. Raises UnknownReplay, IllegalMove."""
    return _move(Move.ESTIMATE, replay, actor, State.ESTIMATING, clock=clock)


def start(replay: str, actor: Actor, *, clock: Clock = CLOCK) -> Replay:
    """Let a replayer take it; one that is not counted is counted first. Raises as `count_again`."""
    changes = {"started_at_ms": clock.now_ms()}
    return _move(Move.START, replay, actor, _at_work, clock=clock, changes=changes)


def pause(replay: str, actor: Actor, *, clock: Clock = CLOCK) -> Replay:
    """Emit no more until it is resumed: within a second. Raises as `count_again`."""
    return _move(Move.PAUSE, replay, actor, State.PAUSED, clock=clock)


def resume(replay: str, actor: Actor, *, clock: Clock = CLOCK) -> Replay:
    """Go on from where it stands. Raises as `count_again`."""
    now_ms = clock.now_ms()

    def changes(row: Replay) -> Mapping[str, object]:
        """Whoever died before the pause does not make this stretch of work a stalled one; the name
        stays, since how much that one emitted last is not known."""
        return _NONE if is_held(row, now_ms=now_ms) else {"lease_until_ms": 0}

    return _move(Move.RESUME, replay, actor, State.RUNNING, clock=clock, changes=changes)


def retry(replay: str, actor: Actor, *, clock: Clock = CLOCK) -> Replay:
    """A failed one goes on from its checkpoint; a rebuild whose generation differs, from the start.
    Raises as `count_again`."""

    def changes(row: Replay) -> Mapping[str, object]:
        over = row.error_code == GENERATION_DIFFERS
        return _FORGIVEN | (_FROM_THE_START if over else {})

    with transaction.atomic():
        row = _move(Move.RETRY, replay, actor, _at_work, clock=clock, changes=changes)
        if row.cursor is None:
            forget_refusals(replay)
    return row


def cancel(replay: str, actor: Actor, *, clock: Clock = CLOCK) -> Replay:
    """Emit no more, and let what is not projected yet count for nothing; a generation that was
    being built is dropped. One that was ready stays, and can be verified and retried again: what
    is on its way into it still counts, which does no harm. A replayer at work says first how much
    it emitted: `cancelling` until then. Raises as `count_again`."""
    now_ms = clock.now_ms()

    def target(row: Replay) -> State:
        return State.CANCELLING if is_held(row, now_ms=now_ms) else State.CANCELLED

    def detail(row: Replay) -> str:
        return "" if is_held(row, now_ms=now_ms) else emitted_of_left(row).detail

    def changes(row: Replay) -> Mapping[str, object]:
        if is_held(row, now_ms=now_ms):
            return _NONE
        # The next epoch, so that a replayer that was taken for dead changes no figure.
        ended: dict[str, object] = {"epoch": row.epoch + 1, "finished_at_ms": now_ms}
        return _LET_GO | ended | emitted_of_left(row).columns

    with transaction.atomic():
        row = _move(Move.CANCEL, replay, actor, target, clock=clock, detail=detail, changes=changes)
        if row.generation is None or give_up_unfinished(row.generation):
            drop_replay(replay)
    return row


def change_rate(replay: str, rate: Rate, actor: Actor, *, clock: Clock = CLOCK) -> Replay:
    """In force within a second, also while it runs. Raises as `count_again`, InvalidReplay."""
    check_rate(rate)
    detail = f"{rate.max_eps or 'no limit'}{', slower while live waits' if rate.auto else ''}"
    return _move(
        Move.RATE,
        replay,
        actor,
        lambda row: State(row.state),
        clock=clock,
        detail=detail,
        changes={"max_eps": rate.max_eps, "auto": rate.auto},
    )


def check_rate(rate: Rate) -> None:
    """Raises InvalidReplay."""
    if rate.max_eps is not None and not 1 <= rate.max_eps <= MAX_EPS:
        raise InvalidReplay("rate.max_eps", f"rate.max_eps takes 1 to {MAX_EPS}, or null")


def pause_all(actor: Actor, *, clock: Clock = CLOCK) -> list[Replay]:
    """Pause every replay that runs, of all projects; those paused by it."""
    paused = []
    running = Replay.objects.filter(state=State.RUNNING.value)
    for replay in list(running.values_list("id", flat=True)):
        try:
            paused.append(pause(replay, actor, clock=clock))
        except IllegalMove:
            continue  # it ended meanwhile
    return paused


_FORGIVEN: dict[str, object] = {"error_code": "", "error_detail": "", "finished_at_ms": None}
_LET_GO: dict[str, object] = {"worker": "", "lease_until_ms": 0, "throttled_by": "", "eps": 0.0}
_FROM_THE_START: dict[str, object] = {
    "cursor": None,
    "read": 0,
    "emitted": 0,
    "projected": 0,
    "marks": [],
}


def _at_work(row: Replay) -> State:
    return State.ESTIMATING if row.estimated is None else State.RUNNING


def _move(
    move: Move,
    replay: str,
    actor: Actor,
    target: State | Callable[[Replay], State],
    *,
    clock: Clock,
    detail: str | Callable[[Replay], str] = "",
    changes: Mapping[str, object] | Callable[[Replay], Mapping[str, object]] = _NONE,
) -> Replay:
    with transaction.atomic():
        row = Replay.objects.select_for_update().filter(pk=replay).first()
        if row is None:
            raise UnknownReplay
        before = State(row.state)
        if before not in LEGAL[move]:
            raise IllegalMove(move, before)
        after = target if isinstance(target, State) else target(row)
        held = Replay.objects.filter(pk=replay)
        held.update(state=after.value, **(changes(row) if callable(changes) else changes))
        journal.note(
            *(replay, actor, move.value),
            at_ms=clock.now_ms(),
            before=before,
            after=after,
            detail=detail(row) if callable(detail) else detail,
        )
        return held.get()


# -- looking --


def get(replay: str, *, project: str | None = None) -> Replay:
    """One replay, of this project if one is given. Raises UnknownReplay."""
    if not is_replay_id(replay):
        raise UnknownReplay
    rows = Replay.objects.filter(pk=replay)
    row = (rows if project is None else rows.filter(project=project)).first()
    if row is None:
        raise UnknownReplay
    return row


def newest(*, project: str | None = None, before: str | None = None, limit: int) -> list[Replay]:
    """Replays newest first, those older than the id `before`."""
    rows = Replay.objects.all()
    if project is not None:
        rows = rows.filter(project=project)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return list(rows[:limit])


def log_of(replay: str) -> Sequence[ReplayLogEntry]:
    """Its log, oldest first."""
    return list(ReplayLogEntry.objects.filter(replay_id=replay))

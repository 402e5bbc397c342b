"""Who works on a replay: leases that end by themselves, and epochs that a sleeper's late write
does not pass. Every write of a replayer names the epoch under which it holds the replay."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet

from feed.crash_points import reach
from replay import journal
from replay.domain import FINAL, WORKED_ON, State
from replay.errors import LeaseLost
from replay.journal import Actor, Via
from replay.models import Replay

_NONE: Mapping[str, object] = {}
LEASE_MS = 15_000
"""A replayer that said nothing for so long is taken for dead: another goes on."""


@dataclass(frozen=True, slots=True)
class Lease:
    """`worker` holds the replay under this epoch."""

    replay: str
    worker: str
    epoch: int


def claim(worker: str, *, now_ms: int, but: Collection[str] = ()) -> Replay | None:
    """Take a replay that nobody works on, `but` these: the one that was let go longest ago, before
    all one that nobody worked on yet. What `worker` itself held before is free: it works on one at
    a time.

    The row shows the new epoch; its `worker` is who held it before and did not let go, so that what
    that one did last is not known, and empty where there is none."""
    waiting = _waiting(worker, now_ms=now_ms).exclude(pk__in=but)
    for row in waiting.order_by("lease_until_ms", "started_at_ms", "id"):
        seen = Replay.objects.filter(
            pk=row.pk, epoch=row.epoch, state=row.state, lease_until_ms=row.lease_until_ms
        )
        taken = seen.update(worker=worker, epoch=row.epoch + 1, lease_until_ms=now_ms + LEASE_MS)
        if taken:
            mine = Replay.objects.get(pk=row.pk)
            mine.worker = row.worker
            return mine
    return None


def others_wait(lease: Lease, *, now_ms: int) -> bool:
    """Whether another replay waits for a replayer while this one is held."""
    return _waiting(lease.worker, now_ms=now_ms).exclude(pk=lease.replay).exists()


def _waiting(worker: str, *, now_ms: int) -> QuerySet[Replay]:
    return Replay.objects.filter(
        Q(worker="") | Q(worker=worker) | Q(lease_until_ms__lt=now_ms),
        state__in=[state.value for state in WORKED_ON],
    )


def save(lease: Lease, *, now_ms: int, **changes: object) -> Replay:
    """Keep the lease and save `changes`; the row as people have made it meanwhile. Raises
    LeaseLost."""
    _update(lease, lease_until_ms=now_ms + LEASE_MS, **changes)
    return Replay.objects.get(pk=lease.replay)


def release(lease: Lease, *, now_ms: int, **changes: object) -> Replay:
    """Save `changes` and let go, so that whoever comes next need not wait; the row after that.
    Raises LeaseLost."""
    _update(lease, worker="", lease_until_ms=now_ms, **changes)
    return Replay.objects.get(pk=lease.replay)


def move(
    lease: Lease,
    from_state: State,
    to_state: State,
    *,
    now_ms: int,
    detail: str = "",
    changes: Mapping[str, object] = _NONE,
) -> bool:
    """Let go in another state, and say so in the log, in one transaction; what ends here ends now.
    False, and nothing is changed, when someone moved it before."""
    held = Replay.objects.filter(pk=lease.replay, epoch=lease.epoch, state=from_state)
    last: dict[str, object] = {
        "throttled_by": "",
        "eps": 0.0,
        "state": to_state.value,
        "worker": "",
        "lease_until_ms": 0,
    }
    if to_state in FINAL or to_state is State.FAILED:
        last["finished_at_ms"] = now_ms
    with transaction.atomic():
        if not held.update(**{**changes, **last}):
            return False
        reach("replay.before_note")
        journal.note(
            *(lease.replay, Actor(lease.worker, Via.REPLAYER), "work"),
            at_ms=now_ms,
            before=from_state,
            after=to_state,
            detail=detail,
        )
    return True


def _update(lease: Lease, **changes: object) -> None:
    if not Replay.objects.filter(pk=lease.replay, epoch=lease.epoch).update(**changes):
        raise LeaseLost(f"replay {lease.replay} is another replayer's")


def is_held(row: Replay, *, now_ms: int) -> bool:
    """Whether a replayer that lives works on it."""
    return bool(row.worker) and row.lease_until_ms >= now_ms


def is_lost(row: Replay, *, now_ms: int) -> bool:
    """Whether a lease on it ran out: its replayer died. One without an end was that of somebody
    who died before the replay was paused: see `services.resume`."""
    return bool(row.worker) and 0 < row.lease_until_ms < now_ms

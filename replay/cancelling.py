"""What a cancelled replay says of how much it emitted: exactly, or at least so much where its
replayer ended before it had said how far it was."""

from typing import NamedTuple

from replay.domain import EMITTED_AT_LEAST, State
from replay.models import Replay, ReplayLogEntry

_EMITTING = (State.RUNNING, State.PAUSED)
"""Elsewhere nothing is emitted yet, or all is saved."""


class Said(NamedTuple):
    """A sentence for the log, and the columns that say the same."""

    detail: str
    columns: dict[str, object]


def emitted(count: int, *, is_exact: bool) -> Said:
    """Of a replay that is cancelled now."""
    if is_exact:
        return Said(f"{count} events emitted", {"emitted": count})
    detail = f"at least {count} events emitted: what became of the last ones is not known"
    return Said(detail, {"emitted": count, "error_code": EMITTED_AT_LEAST, "error_detail": detail})


def emitted_of_left(row: Replay) -> Said:
    """Of one in whose row stands a replayer that did not let go, or none. What was emitted since
    the last save, half a second at most, is not known then."""
    is_exact = not row.worker or _cancelled_from(row) not in _EMITTING
    return emitted(row.emitted, is_exact=is_exact)


def _cancelled_from(row: Replay) -> State:
    """The state in which it was cancelled."""
    if row.state != State.CANCELLING.value:
        return State(row.state)
    entry = ReplayLogEntry.objects.filter(replay=row.pk, to_state=row.state).last()
    return State(entry.from_state if entry else row.state)

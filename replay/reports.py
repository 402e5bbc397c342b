"""A replay as its readers see it: the row, and what follows from it at this moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from feed.fences import count_refusals
from replay.domain import WORKED_ON, State, Worker
from replay.leases import is_held, is_lost
from replay.models import Replay


@dataclass(frozen=True, slots=True)
class Report:
    """`worker` is None where none is needed, or none has come yet; `eta_ms` is when
    the last event will be emitted at the moving average of the rate, None where that says
    nothing."""

    row: Replay
    worker: Worker | None
    dead_lettered: int
    eta_ms: int | None

    @property
    def is_waiting(self) -> bool:
        """Whether it is a replayer's turn, and none has come yet."""
        return self.worker is None and State(self.row.state) in WORKED_ON


def report(row: Replay, *, now_ms: int) -> Report:
    """One replay now."""
    return reports([row], now_ms=now_ms)[0]


def reports(rows: Sequence[Replay], *, now_ms: int) -> list[Report]:
    """Several, in their order."""
    refused = count_refusals([row.id for row in rows]) if rows else {}
    return [
        Report(row, worker_of(row, now_ms=now_ms), refused[row.id], _eta_ms(row, now_ms))
        for row in rows
    ]


def worker_of(row: Replay, *, now_ms: int) -> Worker | None:
    """As in a report."""
    if State(row.state) not in WORKED_ON:
        return None
    if is_held(row, now_ms=now_ms):
        return Worker.ALIVE
    return Worker.LOST if is_lost(row, now_ms=now_ms) else None


def _eta_ms(row: Replay, now_ms: int) -> int | None:
    if row.state != State.RUNNING.value or row.estimated is None or row.eps <= 0:
        return None
    left = max(0, row.estimated - row.emitted)
    return now_ms + round(left * 1000 / row.eps)

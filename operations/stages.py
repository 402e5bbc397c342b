"""Figures by stage: records a minute, totals, lag; and the same over the last while, for a chart.

Pure: from snapshots and lag rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feed.topics import Group, Topic
from operations.lag_states import LagState, worst
from operations.pipeline import LagRow, View
from operations.samples import Snapshot

MINUTE_MS = 60_000
SMOOTHED_MS = 15_000  # a point of the chart looks back this far: three samples


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the pipeline. `total` counts records since the log began, duplicates and
    redeliveries too; None where it is not known."""

    name: str
    label: str
    state: LagState
    per_minute: float | None
    total: int | None
    lag: int | None
    lag_seconds: float | None
    drains_in_s: float | None


@dataclass(frozen=True, slots=True)
class Rates:
    """Records a minute over time (ms, ascending), one list a stage; None where not known."""

    times_ms: Sequence[int]
    by_stage: Mapping[str, Sequence[float | None]]


RECEIVED = "received"
STAGES: Mapping[str, tuple[str, Group | None, Topic]] = {
    RECEIVED: ("Received", None, Topic.EVENTS),
    "stored": ("Stored in the warehouse", Group.SINK, Topic.EVENTS),
    "projected": ("Projected into the view", Group.PROJECTOR, Topic.EVENTS),
    "replayed": ("Replayed into the view", Group.PROJECTOR_HISTORY, Topic.HISTORY),
    "dead_letters": ("Dead letters kept", Group.DEAD_LETTER_KEEPER, Topic.DEAD_LETTERS),
}
"""By name: label, the group whose position is the stage's progress (None: the log's end), topic."""
CHARTED = (RECEIVED, "stored", "projected")


def stages(view: View) -> list[Stage]:
    """Every stage as of this look."""
    return [_stage(name, view) for name in STAGES]


def _stage(name: str, view: View) -> Stage:
    label, group, _ = STAGES[name]
    rows = [row for row in view.rows if row.group == group]
    history = view.history if view.is_current else ()
    return Stage(
        name=name,
        label=label,
        state=worst([row.state for row in rows]) if view.is_current else LagState.UNKNOWN,
        per_minute=rate_at(history, len(history) - 1, name, over_ms=MINUTE_MS) if history else None,
        total=progress(history[-1], name) if history else None,
        lag=_sum([row.lag for row in rows]),
        lag_seconds=_max([row.lag_seconds for row in rows]),
        drains_in_s=_drains(rows),
    )


def _sum(figures: Sequence[int | None]) -> int | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


def _max(figures: Sequence[float | None]) -> float | None:
    return max((figure for figure in figures if figure is not None), default=None)


def _drains(rows: Sequence[LagRow]) -> float | None:
    """When the slowest partition is through; None when one of them is not draining."""
    figures = [row.drains_in_s for row in rows]
    return None if None in figures else _max(figures)


def progress(moment: Snapshot, name: str) -> int:
    """Records that the stage had passed at that moment."""
    _, group, topic = STAGES[name]
    if group is None:
        ends = {lag.partition: lag.end for lag in moment.lags if lag.topic == topic}
        return sum(ends.values())
    return sum(lag.committed or 0 for lag in moment.lags if lag.group == group)


def rates(history: Sequence[Snapshot]) -> Rates:
    """The charted stages' records a minute at every snapshot but the first."""
    indices = range(1, len(history))
    return Rates(
        [history[index].taken_at_ms for index in indices],
        {
            name: [rate_at(history, index, name, over_ms=SMOOTHED_MS) for index in indices]
            for name in CHARTED
        },
    )


def rate_at(history: Sequence[Snapshot], index: int, name: str, *, over_ms: int) -> float | None:
    """Records a minute up to a snapshot, looking back `over_ms`; None without an earlier one near
    enough (a gap in the samples is a gap in the chart)."""
    last = history[index]
    first: Snapshot | None = None
    for moment in reversed(history[:index]):
        if first is not None and moment.taken_at_ms < last.taken_at_ms - over_ms:
            break
        first = moment
    if first is None:
        return None
    elapsed_ms = last.taken_at_ms - first.taken_at_ms
    if not 0 < elapsed_ms <= 2 * over_ms:
        return None
    moved = max(0, progress(last, name) - progress(first, name))
    return round(moved * MINUTE_MS / elapsed_ms, 1)

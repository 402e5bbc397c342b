"""The whole pipeline on one page: state, figures by stage, and the last half hour as a chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from operations.lag_states import LagState
from operations.pipeline import LagRow, look
from operations.stages import Stage, rates, stages
from timeseries.generations import served_generation

CHART_MS = 30 * 60_000


@dataclass(frozen=True, slots=True)
class Status:
    """As of one moment; `per_minute` has `time` (ms) and a list for each charted stage."""

    as_of_ms: int
    state: LagState
    generation: int
    stages: Sequence[Stage]
    per_minute: Mapping[str, Sequence[float | None]]
    rows: Sequence[LagRow]


def status() -> Status:
    """Look at the pipeline now."""
    view = look(history_ms=CHART_MS)
    charted = rates(view.history)
    return Status(
        as_of_ms=view.as_of_ms,
        state=view.state,
        generation=served_generation(),
        stages=stages(view),
        per_minute={"time": charted.times_ms, **charted.by_stage},
        rows=view.rows,
    )

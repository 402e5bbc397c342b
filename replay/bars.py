"""Counts by hour as bars: a drawing and a table of the same figures. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feed.event import HOUR_MS
from warehouse.ports import HourCount

DAY_MS = 24 * HOUR_MS
MOST_HOURS = 31 * 24
"""Of a longer time the bars are days."""
WIDTH, HEIGHT = 1_000.0, 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """Events of [start_ms, end_ms), and where they stand in a drawing of WIDTH by HEIGHT."""

    start_ms: int
    end_ms: int
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bars:
    """From the first with events to the last, ascending; those without are left out."""

    each: Sequence[Bar]
    step: str
    most: int
    total: int


def bars_of(counts: Iterable[HourCount]) -> Bars:
    """All events of an hour together; of more than a month, of a day."""
    hours = _summed(((found.hour_ms, found.count) for found in counts), HOUR_MS)
    if not hours:
        return Bars((), "hour", 0, 0)
    is_long = max(hours) - min(hours) >= MOST_HOURS * HOUR_MS
    step_ms = DAY_MS if is_long else HOUR_MS
    sums = _summed(hours.items(), step_ms)
    return Bars(
        _drawn(sums, step_ms), "day" if is_long else "hour", max(sums.values()), sum(sums.values())
    )


def _summed(counts: Iterable[tuple[int, int]], step_ms: int) -> dict[int, int]:
    sums: dict[int, int] = {}
    for at_ms, count in counts:
        start_ms = at_ms // step_ms * step_ms
        sums[start_ms] = sums.get(start_ms, 0) + count
    return sums


def _drawn(sums: dict[int, int], step_ms: int) -> list[Bar]:
    first, most = min(sums), max(sums.values())
    width = WIDTH / ((max(sums) - first) // step_ms + 1)
    bars = []
    for start_ms, count in sorted(sums.items()):
        height = HEIGHT * count / most
        x = (start_ms - first) // step_ms * width
        place = (round(x, 3), round(HEIGHT - height, 3), round(width * 0.85, 3), round(height, 3))
        bars.append(Bar(start_ms, start_ms + step_ms, count, *place))
    return bars

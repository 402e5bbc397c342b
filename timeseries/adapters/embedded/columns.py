"""Each aggregation as SQL: the columns it needs of a relation's rows, the aggregates over them, how
those of disjoint buckets combine, and the figure that they make."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from timeseries.domain import PERCENTILES, Agg

SCALE = 2.0**-100
"""Numbers of a huge slot are summed and interpolated times SCALE, which is exact, so that nothing
overflows half-way."""
Parts = tuple[float | None, ...]
"""Aggregates of one or more metrics, one after the other."""
Combine = Callable[[Sequence[float]], float]
Finish = Callable[[Parts, float], float | int | None]
"""From parts, and the seconds that they cover, to a figure."""


class Column(StrEnum):
    """What a relation's row says about one metric."""

    VALUE = "v"
    """The value itself, of whatever type; for MIN and MAX least and most of a rollup's cell."""
    COUNT = "c"
    TOTAL = "t"
    LOW = "l"


@dataclass(frozen=True, slots=True)
class Aggregation:
    """`parts` are SQL over columns written as {v} {c} {t} {l}; `combines` has one function a part,
    or none where buckets do not add up to a total; `order` ranks groups by the parts' SQL."""

    columns: tuple[Column, ...]
    parts: tuple[str, ...]
    combines: tuple[Combine, ...]
    order: str
    is_scaled: bool = False


_SUM_PARTS = ("sum({t})", "sum({l})")
_COUNT = Aggregation((), ("sum(n)",), (math.fsum,), "sum(n)")
_AGGREGATIONS = {
    Agg.COUNT: _COUNT,
    Agg.RATE: _COUNT,
    Agg.SUM: Aggregation(
        (Column.TOTAL, Column.LOW),
        _SUM_PARTS,
        (math.fsum, math.fsum),
        "coalesce(sum({t}) + sum({l}), 0.0)",
        is_scaled=True,
    ),
    Agg.AVG: Aggregation(
        (Column.COUNT, Column.TOTAL, Column.LOW),
        ("sum({c})", *_SUM_PARTS),
        (math.fsum, math.fsum, math.fsum),
        "(sum({t}) + sum({l})) / nullif(sum({c}), 0)",
        is_scaled=True,
    ),
    Agg.MIN: Aggregation((Column.VALUE,), ("min({v})",), (min,), "min({v})"),
    Agg.MAX: Aggregation((Column.VALUE,), ("max({v})",), (max,), "max({v})"),
    Agg.UNIQUE: Aggregation((Column.VALUE,), ("count(DISTINCT {v})",), (), "count(DISTINCT {v})"),
}


def aggregation(agg: Agg) -> Aggregation:
    """How `agg` is computed."""
    if agg in PERCENTILES:
        part = f"percentile_cont({{v}}, {PERCENTILES[agg]!r})"
        return Aggregation((Column.VALUE,), (part,), (), part, is_scaled=True)
    return _AGGREGATIONS[agg]


def combined(combines: Sequence[Combine], buckets: Collection[Parts]) -> Parts:
    """The parts of a total from those of its buckets."""
    totals: list[float | None] = []
    for index, combine in enumerate(combines):
        present = [value for parts in buckets if (value := parts[index]) is not None]
        totals.append(combine(present) if present else None)
    return tuple(totals)


def finisher(agg: Agg, at: int, *, scale: float) -> Finish:
    """How parts from index `at` on make the figure; numbers in them are times `scale`."""
    match agg:
        case Agg.COUNT | Agg.UNIQUE:
            return lambda parts, seconds: int(parts[at] or 0)
        case Agg.RATE:
            return lambda parts, seconds: (parts[at] or 0) / seconds
        case Agg.SUM:
            return lambda parts, seconds: _sum(parts[at : at + 2], scale)
        case Agg.AVG:
            return lambda parts, seconds: _average(parts[at : at + 3], scale)
        case Agg.MIN | Agg.MAX:
            return lambda parts, seconds: parts[at]
        case _:
            return lambda parts, seconds: _finite(parts[at], scale)


def _sum(parts: Parts, scale: float) -> float | None:
    total, low = parts
    return _finite((total or 0.0) + (low or 0.0), scale)


def _average(parts: Parts, scale: float) -> float | None:
    count, total, low = parts
    return _finite(((total or 0.0) + (low or 0.0)) / count, scale) if count else None


def _finite(value: float | None, scale: float) -> float | None:
    """A number beyond the range of a double is nothing that can be said."""
    if value is None:
        return None
    number = value / scale
    return number if math.isfinite(number) else None

"""Each aggregation as SQL: the columns it needs of a relation's rows, the aggregates over them, how
those of disjoint buckets combine, and the figure that they make."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from timeseries.domain import PERCENTILES, Agg

SCALE = 2.0**-100
"""Numbers of a huge slot are summed and interpolated times SCALE, which is exact, so that nothing
overflows half-way."""
Parts = Sequence[float | None]
Combine = Callable[[Sequence[float]], float]


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


def combine(agg: Agg, buckets: Sequence[Parts]) -> Parts:
    """The parts of a total from those of its buckets; of no buckets, the parts of no events."""
    if not buckets:
        return [None] * len(aggregation(agg).parts)
    totals: list[float | None] = []
    for index, function in enumerate(aggregation(agg).combines):
        present = [value for parts in buckets if (value := parts[index]) is not None]
        totals.append(function(present) if present else None)
    return totals


def figure(agg: Agg, parts: Parts, *, seconds: float, scale: float) -> float | int | None:
    """The figure that the parts make; `seconds` is the span of time they are of."""
    match agg:
        case Agg.COUNT | Agg.UNIQUE:
            return int(parts[0] or 0)
        case Agg.RATE:
            return (parts[0] or 0) / seconds
        case Agg.SUM:
            return _finite(((parts[0] or 0.0) + (parts[1] or 0.0)) / scale)
        case Agg.AVG:
            count, total, low = parts
            return _finite(((total or 0.0) + (low or 0.0)) / count / scale) if count else None
        case Agg.MIN | Agg.MAX:
            return parts[0]
        case _:
            return None if parts[0] is None else _finite(parts[0] / scale)


def _finite(value: float) -> float | None:
    """A sum beyond the range of a double is nothing that can be said."""
    return value if math.isfinite(value) else None

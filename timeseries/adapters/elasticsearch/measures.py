"""Metrics as aggregations over a cell (the documents of one group and bucket, or of a group), and
back: aggregations to parts, parts of buckets to parts of a total, parts to figures.

Plain dicts, as in everything that is read back by name.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from timeseries.adapters.elasticsearch.client import Json
from timeseries.adapters.elasticsearch.filters import Kind, places
from timeseries.domain import PERCENTILES, Agg, Metric

COMPRESSION = 100
"""Of t-digests: of up to 20 times as many values every one is kept."""
RANK_ERROR = 0.01
UNIQUE_ERROR = 0.03
UNIQUE_PRECISION = 6_000
"""Makes registers of 15 bits, whose standard error is 0.6%: the error stated is five times it."""
UNIQUE_EXACT = 1_000
"""Up to so many distinct values are counted exactly."""
SUM_ERROR = 1e-9
_KAHAN = 2.0**-50
"""Of the sum of absolute values: what summing with compensation, by shard and then across shards,
loses at most."""
_EXACT_INTEGERS = 2.0**53
_OF_NUMBERS = frozenset({Agg.SUM, Agg.AVG, Agg.MIN, Agg.MAX})


@dataclass(slots=True)  # not frozen: one is made for every point
class Cell:
    """What a search says of some documents: how many, and aggregations by name."""

    count: int
    found: Json


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a cell: how many, least and most (None of none), and their sum; None for one
    beyond doubles."""

    count: int = 0
    least: float | None = None
    most: float | None = None
    total: float | None = 0.0
    mean: float | None = None
    """Given where the sum is beyond doubles."""

    def doubt(self) -> float:
        """How far the sum may be off, relative to itself; 0 where it is exact or within
        SUM_ERROR."""
        if self.least is None or self.most is None:
            return 0.0
        if self.total is None:
            return math.inf
        if self.least >= 0 or self.most <= 0:
            return 0.0
        size = self.count * max(-self.least, self.most)
        if size >= _EXACT_INTEGERS > abs(self.total):
            return math.inf if self.total == 0 else size * _KAHAN / abs(self.total)
        if size * _KAHAN <= max(abs(self.total) * SUM_ERROR, 1e-12):
            return 0.0
        return math.inf if self.total == 0 else size * _KAHAN / abs(self.total)


Part = int | float | Numbers | None
"""A metric's share of a cell: a count, a percentile, or numbers."""


def aggregations(metrics: Sequence[Metric]) -> dict[str, Json]:
    """What a search must compute of each cell."""
    wanted: dict[str, Json] = {}
    for metric in metrics:
        for kind, place in _places(metric).items():
            if metric.agg is Agg.UNIQUE:
                wanted[f"unique.{place}"] = {
                    "cardinality": {"field": place, "precision_threshold": UNIQUE_PRECISION}
                }
            elif kind is not Kind.NUMBER:
                continue
            elif metric.agg in _OF_NUMBERS:
                wanted[f"stats.{place}"] = {"stats": {"field": place}}
            else:
                percents = _percents(metrics, place)
                wanted[f"percentiles.{place}"] = {
                    "percentiles": {
                        "field": place,
                        "percents": percents,
                        "tdigest": {"compression": COMPRESSION},
                    }
                }
    return wanted


def is_additive(metric: Metric) -> bool:
    """Whether a total is made of the parts of its buckets."""
    return metric.agg in _OF_NUMBERS or metric.field is None


def parts_of(metrics: Sequence[Metric], cell: Cell) -> list[Part]:
    """The parts of a cell, one a metric; a metric whose aggregation is absent has none."""
    return [_part(metric, cell) for metric in metrics]


def combined(metric: Metric, parts: Sequence[Part]) -> Part:
    """The part of a total from those of its buckets, of an additive metric."""
    if metric.field is None:
        return sum(part for part in parts if isinstance(part, int))
    return _joined([part for part in parts if isinstance(part, Numbers)])


def figure(metric: Metric, part: Part) -> float | int | None:
    """What the metric says of a cell."""
    if not isinstance(part, Numbers):
        return part
    if metric.agg is Agg.MIN:
        return part.least
    if metric.agg is Agg.MAX:
        return part.most
    if metric.agg is Agg.SUM:
        return part.total
    if part.total is None:
        return part.mean
    return part.total / part.count if part.count else None


def number_place(metric: Metric) -> str | None:
    """Where the metric's numbers are, if it asks for numbers and there can be any."""
    return None if metric.agg is Agg.UNIQUE else _places(metric).get(Kind.NUMBER)


def unique_places(metric: Metric) -> list[str]:
    """Where the values are that the metric counts the distinct ones of."""
    return list(_places(metric).values()) if metric.agg is Agg.UNIQUE else []


def _places(metric: Metric) -> dict[Kind, str]:
    return {} if metric.field is None else places(metric.field)


def _percents(metrics: Sequence[Metric], place: str) -> list[float]:
    shares = {
        PERCENTILES[metric.agg]
        for metric in metrics
        if metric.agg in PERCENTILES and _places(metric).get(Kind.NUMBER) == place
    }
    return sorted(_percent(share) for share in shares)


def _percent(share: float) -> float:
    return round(share * 100, 6)


def _part(metric: Metric, cell: Cell) -> Part:
    if metric.field is None:
        return cell.count
    if metric.agg is Agg.UNIQUE:
        return sum(_value(cell.found, f"unique.{place}") for place in unique_places(metric))
    place = number_place(metric)
    if metric.agg in _OF_NUMBERS:
        return Numbers() if place is None else _numbers(cell.found.get(f"stats.{place}"))
    found: Mapping[str, Any] = cell.found.get(f"percentiles.{place}", {"values": {}})["values"]
    value = found.get(str(_percent(PERCENTILES[metric.agg])))
    return None if value is None else float(value)


def _value(found: Json, name: str) -> int:
    return int(found[name]["value"]) if name in found else 0


def _numbers(stats: Json | None) -> Numbers:
    if stats is None or not stats["count"]:
        return Numbers()
    total = float(stats["sum"])  # beyond doubles it is the text "Infinity"
    finite = total if math.isfinite(total) else None
    return Numbers(stats["count"], stats["min"], stats["max"], finite)


def _joined(parts: Sequence[Numbers]) -> Numbers:
    present = [part for part in parts if part.count]
    return Numbers(
        sum(part.count for part in present),
        min((part.least for part in present if part.least is not None), default=None),
        max((part.most for part in present if part.most is not None), default=None),
        summed([part.total for part in present]),
    )


def summed(numbers: Iterable[float | None]) -> float | None:
    """The exactly rounded sum; None where one of the numbers, or a sum on the way, is beyond
    doubles."""
    try:
        total = math.fsum(math.inf if number is None else number for number in numbers)
    except OverflowError:
        return None
    return total if math.isfinite(total) else None

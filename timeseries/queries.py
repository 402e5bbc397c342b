"""Runs a query on the view: resolves its fields in one generation, asks the store, fills what is
empty. Knows no HTTP.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from timeseries.domain import (
    Agg,
    Bucket,
    Figures,
    Fill,
    GroupFigures,
    Metric,
    SeriesQuery,
    StoreAnswer,
)
from timeseries.ports import SeriesStore
from timeseries.resolution import QueryWarning, Resolver, Slots

_ZERO_WHEN_EMPTY = frozenset({Agg.COUNT, Agg.SUM, Agg.UNIQUE, Agg.RATE})
_WHOLE = frozenset({Agg.COUNT, Agg.UNIQUE})
"""Whole numbers wherever there is an event: nothing is to be done to them."""
_INTEGRAL_BELOW = 2.0**53


@dataclass(frozen=True, slots=True)
class View:
    """One generation of the view, resolved once a query and used for all of it. One that
    `is_building` lacks what is not replayed yet, and nobody can say how much."""

    store: SeriesStore
    slots: Slots
    generation: int
    is_building: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """One group's figures; `points` holds one entry a bucket, None where `fill` leaves the bucket
    out."""

    group: tuple[str | float | bool | None, ...]
    other: bool
    total: Figures
    points: Sequence[Figures | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to `query`, ranked as the store ranks; always one series where nothing groups."""

    query: SeriesQuery
    series: Sequence[Series]
    generation: int
    source: str
    approximate: Mapping[str, float]
    warnings: Sequence[QueryWarning]


def run_query(query: SeriesQuery, view: View, *, timeout_s: float) -> Answer:
    """The figures of a checked query.

    Raises QueryRefused for a property without a slot, QueryTimeout, SeriesUnavailable.
    """
    resolver = Resolver(view.slots, query.project, view.generation)
    found = view.store.figures(
        _for_store(resolver.query(query)), generation=view.generation, timeout_s=timeout_s
    )
    warnings = list(resolver.warnings.values())
    return answer_of(query, found, generation=view.generation, warnings=warnings)


def answer_of(
    query: SeriesQuery,
    found: StoreAnswer,
    *,
    generation: int,
    warnings: Sequence[QueryWarning] = (),
) -> Answer:
    """What a store found, with every bucket filled as the query asks and rates divided."""
    lengths_s = _lengths_s(query)
    return Answer(
        query=query,
        series=[_series(group, query, lengths_s) for group in _groups(found, query)],
        generation=generation,
        source=found.source,
        approximate=found.approximate,
        warnings=warnings,
    )


def _for_store(query: SeriesQuery) -> SeriesQuery:
    """A total is one bucket; a rate is a count over a length, which stores need not know."""
    return replace(
        query,
        metrics=tuple(map(_counted, query.metrics)),
        buckets=query.buckets or (Bucket(query.from_ms, query.to_ms),),
    )


def _counted(metric: Metric) -> Metric:
    return replace(metric, agg=Agg.COUNT) if metric.agg is Agg.RATE else metric


def _groups(found: StoreAnswer, query: SeriesQuery) -> Sequence[GroupFigures]:
    if found.groups or query.group_by:
        return found.groups
    return [GroupFigures(group=(), total=(None,) * len(query.metrics), points={})]


def _series(group: GroupFigures, query: SeriesQuery, lengths_s: Sequence[float]) -> Series:
    points = [_empty(query)] * len(query.buckets)
    if not query.buckets:  # a total was asked for as one bucket
        pass
    elif all(metric.agg in _WHOLE for metric in query.metrics):
        for index, figures in group.points.items():
            points[index] = figures
    else:
        for index, figures in group.points.items():
            points[index] = _figures(figures, query, lengths_s[index])
    total = _figures(group.total, query, (query.to_ms - query.from_ms) / 1000)
    return Series(group.group, group.other, total, points)


def _lengths_s(query: SeriesQuery) -> list[float]:
    """Of each bucket the seconds that the range covers: what a rate is over."""
    return [
        (min(bucket.end_ms, query.to_ms) - max(bucket.start_ms, query.from_ms)) / 1000
        for bucket in query.buckets
    ]


def _empty(query: SeriesQuery) -> Figures | None:
    """What a bucket without events holds; None to leave it out."""
    if query.fill is Fill.NONE:
        return None
    if query.fill is Fill.NULL:
        return (None,) * len(query.metrics)
    return tuple(0 if metric.agg in _ZERO_WHEN_EMPTY else None for metric in query.metrics)


def _figures(figures: Figures, query: SeriesQuery, length_s: float) -> Figures:
    return tuple(
        _figure(figure, metric.agg, length_s)
        for figure, metric in zip(figures, query.metrics, strict=True)
    )


def _figure(figure: float | None, agg: Agg, length_s: float) -> float | None:
    if figure is None:
        return 0 if agg in _ZERO_WHEN_EMPTY else None
    return plain(figure / length_s if agg is Agg.RATE else figure)


def plain(figure: float) -> float | None:
    """The figure as JSON can say it, the same from every engine: whole numbers without a fraction,
    None beyond a double."""
    if isinstance(figure, int):
        return figure
    if not math.isfinite(figure):
        return None
    return int(figure) if figure.is_integer() and abs(figure) < _INTEGRAL_BELOW else figure

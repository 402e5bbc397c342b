"""A query answered by searches: its groups, their cells, and the figures that these make."""

from collections.abc import Iterable, Mapping, Sequence

from timeseries.adapters.elasticsearch.asking import Asking
from timeseries.adapters.elasticsearch.cells import (
    EVERYTHING,
    Found,
    Group,
    Series,
    read_cells,
    slots_of,
)
from timeseries.adapters.elasticsearch.client import Searching
from timeseries.adapters.elasticsearch.filters import none_of
from timeseries.adapters.elasticsearch.groups import documents_of, rank, rank_order
from timeseries.adapters.elasticsearch.measures import (
    RANK_ERROR,
    UNIQUE_ERROR,
    UNIQUE_EXACT,
    Part,
    aggregations,
    combined,
    figure,
    is_additive,
    number_place,
    parts_of,
)
from timeseries.adapters.elasticsearch.sums import settle_sums
from timeseries.adapters.elasticsearch.texts import asked
from timeseries.adapters.elasticsearch.uniques import recount
from timeseries.domain import (
    PERCENTILES,
    Agg,
    Figures,
    GroupFigures,
    Metric,
    SeriesQuery,
    StoreAnswer,
)


def figures(
    searching: Searching, query: SeriesQuery, *, generation: int, timeout_s: float
) -> StoreAnswer:
    """See SeriesStore.figures."""
    whole = Asking(searching, query.project, generation, query.from_ms, query.to_ms, timeout_s)
    asking = asked(whole, query.filter)
    slots = slots_of(query)
    series = _series(asking, query)
    cells = read_cells(
        asking,
        [one.documents for one in series],
        slots,
        of_points=aggregations(query.metrics),
        of_totals=aggregations([metric for metric in query.metrics if not is_additive(metric)]),
    )
    for one, found in zip(series, cells, strict=True):
        _fill(one, query.metrics, found)
    if query.group_by:
        series = [one for one in series if one.points]
    errors = settle_sums(asking, query.metrics, series, slots)
    recount(asking, query.metrics, series, slots)
    errors |= _sketched(query.metrics, series)
    return StoreAnswer(_in_order(query, series), "documents", errors)


def _series(asking: Asking, query: SeriesQuery) -> list[Series]:
    """The series to be shown, the rest last, where there may be one."""
    if not query.group_by:
        return [Series((), EVERYTHING)]
    ranked = rank(asking, query.group_by, query.metrics[0], limit=query.limit + 1)
    shown = [
        Series(one.group, documents_of(query.group_by, one.group)) for one in ranked[: query.limit]
    ]
    if query.other and len(ranked) > len(shown):
        rest = none_of([one.documents.where for one in shown])
        shown.append(Series((), Group(rest), other=True))
    return shown


def _fill(series: Series, metrics: Sequence[Metric], found: Found) -> None:
    if all(metric.field is None for metric in metrics):  # a call less for each of many points
        width = len(metrics)
        series.points = {bucket: [cell.count] * width for bucket, cell in found.points.items()}
    else:
        series.points = {bucket: parts_of(metrics, cell) for bucket, cell in found.points.items()}
    of_total = parts_of(metrics, found.total)
    series.total = [
        combined(metric, [parts[index] for parts in series.points.values()])
        if is_additive(metric)
        else of_total[index]
        for index, metric in enumerate(metrics)
    ]


def _sketched(metrics: Sequence[Metric], series: Sequence[Series]) -> dict[str, float]:
    """The errors of figures that come from sketches, by metric."""
    errors: dict[str, float] = {}
    for index, metric in enumerate(metrics):
        if metric.agg in PERCENTILES and number_place(metric) is not None:
            errors[metric.name] = RANK_ERROR
        elif metric.agg is Agg.UNIQUE and any(map(_is_large, _parts(index, series))):
            errors[metric.name] = UNIQUE_ERROR
    return errors


def _parts(index: int, series: Iterable[Series]) -> Iterable[Part]:
    for one in series:
        yield one.total[index]
        for parts in one.points.values():
            yield parts[index]


def _is_large(part: Part) -> bool:
    return isinstance(part, int) and part > UNIQUE_EXACT


def _in_order(query: SeriesQuery, series: Sequence[Series]) -> list[GroupFigures]:
    """Ranked by the figures that are shown, which may be more exact than those that chose the
    groups."""
    lengths_s = {
        index: (min(bucket.end_ms, query.to_ms) - max(bucket.start_ms, query.from_ms)) / 1000
        for index, bucket in enumerate(query.buckets)
    }
    whole_s = (query.to_ms - query.from_ms) / 1000
    groups = [
        GroupFigures(
            one.group,
            _figures(query.metrics, one.total, whole_s),
            _by_bucket(query.metrics, one.points, lengths_s),
            other=one.other,
        )
        for one in series
    ]
    return sorted(groups, key=lambda one: (one.other, rank_order(one.total[0], one.group)))


def _by_bucket(
    metrics: Sequence[Metric], points: Mapping[int, Sequence[Part]], lengths_s: Mapping[int, float]
) -> dict[int, Figures]:
    if all(metric.agg is Agg.COUNT for metric in metrics):
        return {index: _counts(points[index]) for index in sorted(points)}
    return {index: _figures(metrics, points[index], lengths_s[index]) for index in sorted(points)}


def _figures(metrics: Sequence[Metric], parts: Sequence[Part], seconds: float) -> Figures:
    return tuple(
        [
            (found or 0) / seconds if metric.agg is Agg.RATE else found
            for metric, found in zip(metrics, map(figure, metrics, parts), strict=True)
        ]
    )


def _counts(parts: Sequence[Part]) -> Figures:
    return tuple([part for part in parts if isinstance(part, int)])

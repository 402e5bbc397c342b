"""Sums made exact where the engine's may be wrong.

The engine sums with compensation, which is exact for whole numbers below 2^53 and good otherwise,
but not when large numbers cancel out, nor when a sum on the way is beyond doubles. Least, most and
count say when that may be: then the numbers themselves are read and summed here.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain

from elasticsearch.dsl import query as dsl

from timeseries.adapters.elasticsearch.asking import Asking
from timeseries.adapters.elasticsearch.cells import Series, Slot
from timeseries.adapters.elasticsearch.measures import Numbers, Part, number_place
from timeseries.domain import Agg, Metric

MAX_NUMBERS = 100_000
"""Numbers that are read for one series and field; beyond, the error is stated instead."""
PAGE = 5_000
_SUMS = frozenset({Agg.SUM, Agg.AVG})
_HEX_OF_TIME = 12


def settle_sums(
    asking: Asking, metrics: Sequence[Metric], series: Iterable[Series], slots: Sequence[Slot]
) -> dict[str, float]:
    """Put exact sums where sums are in doubt. Gives the error of metrics for which that is too
    much to read, by name."""
    errors: dict[str, float] = {}
    wanted: dict[str, list[int]] = {}
    for index, metric in enumerate(metrics):
        place = number_place(metric)
        if metric.agg in _SUMS and place is not None:
            wanted.setdefault(place, []).append(index)
    for one in series:
        for place, indexes in wanted.items():
            error = _settle(asking, one, place, indexes, slots)
            if error:
                errors |= {metrics[index].name: error for index in indexes}
    return errors


def _settle(
    asking: Asking, series: Series, place: str, indexes: Sequence[int], slots: Sequence[Slot]
) -> float:
    """The error that stays."""
    first = indexes[0]
    total = _numbers(series.total[first])
    parts = {bucket: _numbers(found[first]) for bucket, found in series.points.items()}
    is_total = total.doubt() > 0
    chosen = {bucket for bucket, part in parts.items() if is_total or part.doubt() > 0}
    if not chosen:
        return 0.0
    if sum(parts[bucket].count for bucket in chosen) > MAX_NUMBERS:
        return min(1.0, max(total.doubt(), *(parts[bucket].doubt() for bucket in chosen)))
    found = _read(
        asking, series.documents.where, place, [slot for slot in slots if slot.index in chosen]
    )
    for index in indexes:
        for bucket in chosen:
            series.points[bucket][index] = numbers_of(found.get(bucket, []))
        if is_total:
            series.total[index] = numbers_of(list(chain.from_iterable(found.values())))
    return 0.0


def _numbers(part: Part) -> Numbers:
    return part if isinstance(part, Numbers) else Numbers()


def numbers_of(values: Sequence[float]) -> Numbers:
    """What a cell of these values says, exactly."""
    if not values:
        return Numbers()
    total: float | None
    mean: float | None = None
    try:
        total = math.fsum(values)
    except OverflowError:  # on the way, or at the end
        exact = sum(map(Fraction, values), Fraction(0))
        mean = float(exact / len(values))
        total = _as_double(exact)
    return Numbers(len(values), min(values), max(values), total, mean)


def _as_double(exact: Fraction) -> float | None:
    try:
        return float(exact)
    except OverflowError:
        return None


def _read(
    asking: Asking, where: dsl.Query, place: str, slots: Sequence[Slot]
) -> dict[int, list[float]]:
    """Every number of these buckets, repeated ones as often as documents have them."""
    starts = [slot.from_ms for slot in slots]
    found: dict[int, list[float]] = {slot.index: [] for slot in slots}
    query = dsl.Bool(filter=[where, dsl.Exists(field=place)])
    for time_ms, values in _documents(
        asking.within(slots[0].from_ms, slots[-1].to_ms), query, place
    ):
        slot = slots[bisect_right(starts, time_ms) - 1]
        if time_ms < slot.to_ms:
            found[slot.index] += values
    return found


def _documents(asking: Asking, query: dsl.Query, place: str) -> Iterator[tuple[int, list[float]]]:
    """Time and numbers of each document, by key."""
    after: dict[str, object] = {}
    while True:
        body = {
            "size": PAGE,
            "query": query,
            "sort": [{"k": "asc"}],
            "docvalue_fields": [place],
            **after,
        }
        hits = asking.search(body)["hits"]["hits"]
        for hit in hits:
            yield int(hit["sort"][0][:_HEX_OF_TIME], 16), list(map(float, hit["fields"][place]))
        if len(hits) < PAGE:
            return
        after = {"search_after": hits[-1]["sort"]}

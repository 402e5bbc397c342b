"""Small counts of distinct values made exact: the engine's sketch takes two values for one where
25 bits of their hashes agree, once in 67 times among 1,000 of them."""

from collections.abc import Sequence

from timeseries.adapters.elasticsearch.asking import Asking
from timeseries.adapters.elasticsearch.cells import Found, Series, Slot, read_points, read_totals
from timeseries.adapters.elasticsearch.client import Json
from timeseries.adapters.elasticsearch.measures import (
    UNIQUE_EXACT,
    Cell,
    Part,
    unique_places,
)
from timeseries.domain import Metric

SURE = 8
"""Among so few values a wrong count is rarer than one in a million."""
MOST = UNIQUE_EXACT + 64
"""Values that are listed of a cell."""


def recount(
    asking: Asking, metrics: Sequence[Metric], series: Sequence[Series], slots: Sequence[Slot]
) -> None:
    """Count the distinct values of small cells one by one."""
    for index, metric in enumerate(metrics):
        if unique_places(metric):
            _recount(asking, index, unique_places(metric), series, slots)


def _recount(
    asking: Asking,
    index: int,
    places: Sequence[str],
    series: Sequence[Series],
    slots: Sequence[Slot],
) -> None:
    wanted: dict[str, Json] = {
        f"values.{place}": {"terms": {"field": place, "size": MOST}} for place in places
    }
    small = [one for one in series if _is_small(one.total[index])]
    if small:
        weight = len(places) * MOST
        totals = read_totals(asking, [one.documents for one in small], wanted, weight=weight)
        for one, found in zip(small, totals, strict=True):
            one.total[index] = _distinct(found.total, places)
    small = [one for one in series if any(_is_small(each[index]) for each in one.points.values())]
    chosen = [
        slot
        for slot in slots
        if any(
            slot.index in one.points and _is_small(one.points[slot.index][index]) for one in small
        )
    ]
    if not chosen:
        return
    if len(slots) == 1:  # the one bucket is the whole range
        for one in small:
            one.points[slots[0].index][index] = one.total[index]
        return
    points = [Found() for _ in small]
    groups = [one.documents for one in small]
    weight = _weight(index, len(places), small, chosen)
    read_points(asking, groups, chosen, points, wanted, weight=weight)
    for one, found in zip(small, points, strict=True):
        for bucket, cell in found.points.items():
            if bucket in one.points and _is_small(one.points[bucket][index]):
                one.points[bucket][index] = _distinct(cell, places)


def _is_small(part: Part) -> bool:
    return isinstance(part, int) and SURE < part <= UNIQUE_EXACT


def _weight(index: int, places: int, series: Sequence[Series], slots: Sequence[Slot]) -> int:
    """Values that a cell lists at most."""
    counts = [
        part
        for one in series
        for slot in slots
        if isinstance(part := one.points.get(slot.index, [0] * (index + 1))[index], int)
    ]
    most = max(counts, default=1)
    return places * MOST if most > UNIQUE_EXACT else most + places + 1


def _distinct(cell: Cell, places: Sequence[str]) -> int:
    return sum(len(cell.found[f"values.{place}"]["buckets"]) for place in places)

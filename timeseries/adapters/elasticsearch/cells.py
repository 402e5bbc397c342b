"""The cells of a query: documents by group and bucket, read in as few searches as the server's
limit on buckets allows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from elasticsearch.dsl import query as dsl

from timeseries.adapters.elasticsearch.asking import MAX_BUCKETS, Asking
from timeseries.adapters.elasticsearch.client import Json
from timeseries.adapters.elasticsearch.measures import Cell, Part
from timeseries.domain import GroupValue, SeriesQuery

Aggregations = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Slot:
    """A bucket by its index: its calendar bounds, and what the range leaves of it."""

    index: int
    start_ms: int
    end_ms: int
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Group:
    """Documents of a group: all of them, or those that match; with a place, those that have the
    string `value` there, and then every group with a place has the same."""

    where: dsl.Query
    place: str = ""
    value: str = ""
    is_everything: bool = False


EVERYTHING = Group(dsl.MatchAll(), is_everything=True)


@dataclass(slots=True)
class Found:
    """A group's cells: of the whole range, and of each bucket that has documents."""

    total: Cell = field(default_factory=lambda: Cell(0, {}))
    points: dict[int, Cell] = field(default_factory=dict)


@dataclass(slots=True)
class Series:
    """A series on its way: which documents, and the parts of its cells, one a metric."""

    group: GroupValue
    documents: Group
    other: bool = False
    total: list[Part] = field(default_factory=list)
    points: dict[int, list[Part]] = field(default_factory=dict)


def slots_of(query: SeriesQuery) -> list[Slot]:
    """The buckets that the range leaves something of."""
    cut = (
        Slot(
            index,
            bucket.start_ms,
            bucket.end_ms,
            max(bucket.start_ms, query.from_ms),
            min(bucket.end_ms, query.to_ms),
        )
        for index, bucket in enumerate(query.buckets)
    )
    return [slot for slot in cut if slot.from_ms < slot.to_ms]


def read_cells(
    asking: Asking,
    groups: Sequence[Group],
    slots: Sequence[Slot],
    *,
    of_points: Aggregations,
    of_totals: Aggregations,
) -> list[Found]:
    """The cells of each group, points and totals of one search where they fit into it. The total
    is there only with `of_totals`."""
    if len(slots) <= 1:  # which is then the whole range
        found = read_totals(asking, groups, {**of_points, **of_totals})
        for one in found:
            one.points = {slot.index: one.total for slot in slots if one.total.count}
        return found
    if len(slots) > MAX_BUCKETS:
        found = read_totals(asking, groups, of_totals) if of_totals else [Found() for _ in groups]
        read_points(asking, groups, slots, found, of_points)
        return found
    found = [Found() for _ in groups]
    width = MAX_BUCKETS // len(slots)
    for first in range(0, len(groups), width):
        part = slice(first, first + width)
        _read(asking, groups[part], slots, found[part], of_points=of_points, of_totals=of_totals)
    return found


def read_totals(
    asking: Asking, groups: Sequence[Group], wanted: Aggregations, *, weight: int = 1
) -> list[Found]:
    """The cells of whole groups. `weight`: buckets that the aggregations make of a cell."""
    found = [Found() for _ in groups]
    width = max(1, MAX_BUCKETS // weight)
    for first in range(0, len(groups), width):
        part = slice(first, first + width)
        _read(asking, groups[part], (), found[part], of_points={}, of_totals=wanted)
    return found


def read_points(
    asking: Asking,
    groups: Sequence[Group],
    slots: Sequence[Slot],
    found: Sequence[Found],
    wanted: Aggregations,
    *,
    weight: int = 1,
) -> None:
    """Add the cells of buckets; `weight` as above."""
    most = max(1, MAX_BUCKETS // weight)
    width = max(1, most // max(1, len(slots)))
    for first in range(0, len(groups), width):
        part = slice(first, first + width)
        for start in range(0, len(slots), most):
            chunk = slots[start : start + most]
            within = asking.within(chunk[0].from_ms, chunk[-1].to_ms)
            _read(within, groups[part], chunk, found[part], of_points=wanted, of_totals={})


def _read(
    asking: Asking,
    groups: Sequence[Group],
    slots: Sequence[Slot],
    into: Sequence[Found],
    *,
    of_points: Aggregations,
    of_totals: Aggregations,
) -> None:
    inside = dict(of_totals)
    if slots:
        inside["buckets"] = {**_by_time(slots), "aggs": dict(of_points)}
    for cell, found in _searched(asking, groups, into, inside, is_counted=not slots):
        if of_totals or not slots:
            found.total = cell
        if slots:
            _keep_points(cell.found["buckets"]["buckets"], slots, found)


def _searched(
    asking: Asking,
    groups: Sequence[Group],
    into: Sequence[Found],
    inside: Aggregations,
    *,
    is_counted: bool,
) -> Iterator[tuple[Cell, Found]]:
    """Each group's cell. All documents at once, and values of one field, have ways of their own,
    faster than filters."""
    if len(groups) == 1 and groups[0].is_everything:
        answer = asking.search({"aggs": inside, "track_total_hits": is_counted})
        if "aggregations" in answer or is_counted:
            count = answer["hits"]["total"]["value"] if is_counted else 0
            yield Cell(count, answer.get("aggregations", {})), into[0]
        return
    listed = {group.value: found for group, found in zip(groups, into, strict=True) if group.place}
    others = [pair for pair in zip(groups, into, strict=True) if not pair[0].place]
    body: dict[str, Json] = {}
    if listed:
        (place,) = {group.place for group in groups if group.place}
        terms = {"field": place, "include": list(listed), "size": len(listed)}
        body["values"] = {"terms": terms, "aggs": inside}
    if others:
        filters = [group.where.to_dict() for group, _ in others]
        body["groups"] = {"filters": {"filters": filters}, "aggs": inside}
    answer = asking.aggregations({"aggs": body})
    if listed and answer:
        for one in answer["values"]["buckets"]:
            yield Cell(one["doc_count"], one), listed[one["key"]]
    if others and answer:
        for one, (_, found) in zip(answer["groups"]["buckets"], others, strict=True):
            yield Cell(one["doc_count"], one), found


def _by_time(slots: Sequence[Slot]) -> dict[str, Json]:
    """Edges at one distance are computed by the engine, which is faster than looking them up."""
    first = slots[0]
    width = _width(slots)
    if width is not None:
        histogram = {
            "field": "t",
            "fixed_interval": f"{width}ms",
            "offset": f"{first.start_ms % width}ms",
            "min_doc_count": 1,
        }
        return {"date_histogram": histogram}
    ranges = [{"key": str(slot.index), "from": slot.from_ms, "to": slot.to_ms} for slot in slots]
    return {"date_range": {"field": "t", "ranges": ranges}}


def _width(slots: Sequence[Slot]) -> int | None:
    """The width of all buckets, None where they differ."""
    first = slots[0]
    width = first.end_ms - first.start_ms
    is_uniform = all(
        slot.start_ms == first.start_ms + width * place and slot.end_ms - slot.start_ms == width
        for place, slot in enumerate(slots)
    )
    return width if is_uniform else None


def _keep_points(buckets: Sequence[Json], slots: Sequence[Slot], found: Found) -> None:
    width = _width(slots)
    first, start_ms = slots[0].index, slots[0].start_ms
    for one in buckets:
        count = one["doc_count"]
        if count:
            key = one["key"]
            index = int(key) if width is None else first + (key - start_ms) // width
            found.points[index] = Cell(count, one)

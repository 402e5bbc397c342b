"""Figures by brute force: what a SeriesStore must answer, computed from documents in plain Python.

Shares nothing with the adapters but the values that they take and give.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from timeseries.domain import (
    PERCENTILES,
    Agg,
    And,
    Compare,
    Compares,
    CoreField,
    Exists,
    Field,
    Figures,
    Filter,
    GroupValue,
    Is,
    Matches,
    Metric,
    Not,
    Or,
    Scalar,
    SeriesQuery,
    StoreAnswer,
    TextMatch,
)
from timeseries.ports import Document

RELATIVE_ERROR = 1e-9
UNIQUE_EXACT = 1_000
"""Up to so many distinct values a count of them has no error, whatever an engine states."""
Typed = tuple[str, Scalar]
"""A JSON type and a value: equal only to values of its own type."""
Group = tuple[Typed | None, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """A series: its group, whether it is the rest, its documents, and those by bucket."""

    group: GroupValue
    other: bool
    documents: Sequence[Document]
    points: dict[int, list[Document]]


def remaining(deliveries: Iterable[Document]) -> list[Document]:
    """The documents that stay: of each key the one with the highest version."""
    newest: dict[tuple[str, bytes], Document] = {}
    for document in deliveries:
        held = newest.get((document.project, document.key))
        if held is None or document.version > held.version:
            newest[document.project, document.key] = document
    return list(newest.values())


def values_of(document: Document, field: Field) -> list[Scalar]:
    """Every value of a field."""
    if isinstance(field, CoreField):
        value = getattr(document, field.value)
        return [] if value is None else [value]
    if field.slot is None:
        return []
    found: list[Scalar] = []
    for kind in (document.strings, document.numbers, document.booleans):
        found.extend(kind.get(field.slot, ()))
    return found


def typed(value: Scalar) -> Typed:
    """The value with its JSON type."""
    if isinstance(value, bool):
        return "boolean", value
    return ("string", value) if isinstance(value, str) else ("number", float(value))


def matches(document: Document, where: Filter) -> bool:
    """Whether the filter lets the document through."""
    match where:
        case And(parts):
            return all(matches(document, part) for part in parts)
        case Or(parts):
            return any(matches(document, part) for part in parts)
        case Not(part):
            return not matches(document, part)
        case _:
            return any(_holds(value, where) for value in values_of(document, where.field))


def _holds(value: Scalar, leaf: Is | Matches | Compares | Exists) -> bool:
    match leaf:
        case Is(values=values):
            return typed(value) in {typed(wanted) for wanted in values}
        case Matches(match=TextMatch.CONTAINS, values=texts):
            return isinstance(value, str) and any(text in value for text in texts)
        case Matches(values=texts):
            return isinstance(value, str) and any(value.startswith(text) for text in texts)
        case Compares(compare=compare, value=bound):
            return typed(value)[0] == typed(bound)[0] and _beyond(compare, value, bound)
        case Exists():
            return True


def _beyond(compare: Compare, value: Scalar, bound: str | float) -> bool:
    left, right = typed(value)[1], typed(bound)[1]
    if isinstance(left, str) and isinstance(right, str):
        order = (left > right) - (left < right)
    else:
        order = (float(left) > float(right)) - (float(left) < float(right))
    allowed = {Compare.GT: {1}, Compare.GTE: {0, 1}, Compare.LT: {-1}, Compare.LTE: {-1, 0}}
    return order in allowed[compare]


def groups_of(document: Document, group_by: Sequence[Field]) -> set[Group]:
    """Every group that the document counts in, values with their types."""
    sets: list[set[Typed | None]] = []
    for field in group_by:
        found: set[Typed | None] = {typed(value) for value in values_of(document, field)}
        sets.append(found if found else {None})
    return set(product(*sets))


def _group_order(group: Group) -> tuple[object, ...]:
    kinds = {"number": 0, "string": 1, "boolean": 2}
    return tuple(
        (3, 0) if typed_value is None else (kinds[typed_value[0]], typed_value[1])
        for typed_value in group
    )


def expected(query: SeriesQuery, deliveries: Iterable[Document]) -> list[Expected]:
    """The series that a store must answer, in their order."""
    found = [
        document
        for document in remaining(deliveries)
        if document.project == query.project
        and query.from_ms <= document.occurred_at_ms < query.to_ms
        and matches(document, query.filter)
    ]
    if not query.group_by:
        return [_series(query, (), found)]
    by_group: dict[Group, list[Document]] = {}
    for document in found:
        for group in groups_of(document, query.group_by):
            by_group.setdefault(group, []).append(document)
    ranked = sorted(by_group, key=lambda group: _rank(query, group, by_group[group]))
    shown = ranked[: query.limit]
    series = [_series(query, group, by_group[group]) for group in shown]
    rest = [document for document in found if not groups_of(document, query.group_by) & set(shown)]
    if query.other and rest:
        series.append(_series(query, (), rest, other=True))
    return series


def _rank(query: SeriesQuery, group: Group, documents: Sequence[Document]) -> tuple[object, ...]:
    total = figure(query.metrics[0], documents, seconds=_seconds(query, None))
    nothing = total is None
    return nothing, 0 if total is None else -total, _group_order(group)


def _series(
    query: SeriesQuery,
    group: Group,
    documents: Sequence[Document],
    *,
    other: bool = False,
) -> Expected:
    points: dict[int, list[Document]] = {}
    for document in documents:
        for index, bucket in enumerate(query.buckets):
            if bucket.start_ms <= document.occurred_at_ms < bucket.end_ms:
                points.setdefault(index, []).append(document)
    values = tuple(None if value is None else value[1] for value in group)
    return Expected(values, other, documents, points)


def _seconds(query: SeriesQuery, bucket: int | None) -> float:
    start, end = query.from_ms, query.to_ms
    if bucket is not None:
        start = max(start, query.buckets[bucket].start_ms)
        end = min(end, query.buckets[bucket].end_ms)
    return (end - start) / 1000


def figure(metric: Metric, documents: Sequence[Document], *, seconds: float) -> float | None:
    """One figure."""
    if metric.agg is Agg.COUNT:
        return len(documents)
    if metric.agg is Agg.RATE:
        return len(documents) / seconds
    assert metric.field is not None
    values = [value for document in documents for value in values_of(document, metric.field)]
    if metric.agg is Agg.UNIQUE:
        return len({typed(value) for value in values})
    return _of_numbers(
        metric.agg, [float(each) for kind, each in map(typed, values) if kind == "number"]
    )


def _of_numbers(agg: Agg, numbers: Sequence[float]) -> float | None:
    if agg is Agg.SUM:
        return math.fsum(numbers)
    if not numbers:
        return None
    if agg is Agg.AVG:
        return math.fsum(numbers) / len(numbers)
    if agg in (Agg.MIN, Agg.MAX):
        return min(numbers) if agg is Agg.MIN else max(numbers)
    return percentile(numbers, PERCENTILES[agg])


def percentile(numbers: Sequence[float], share: float) -> float:
    """By linear interpolation between the two nearest ranks."""
    ordered = sorted(numbers)
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def assert_answers(answer: StoreAnswer, query: SeriesQuery, deliveries: Iterable[Document]) -> None:
    """The store's answer is the oracle's, approximate figures within the error that it states."""
    wanted = expected(query, deliveries)
    assert [(_typed_group(each.group), each.other) for each in answer.groups] == [
        (_typed_group(each.group), each.other) for each in wanted
    ]
    for got, want in zip(answer.groups, wanted, strict=True):
        assert sorted(got.points) == sorted(want.points), f"buckets of {want.group}"
        _assert_figures(answer, query, got.total, want.documents, bucket=None)
        for bucket, documents in want.points.items():
            _assert_figures(answer, query, got.points[bucket], documents, bucket=bucket)


def _typed_group(group: GroupValue) -> Group:
    return tuple(None if value is None else typed(value) for value in group)


def _assert_figures(
    answer: StoreAnswer,
    query: SeriesQuery,
    got: Figures,
    documents: Sequence[Document],
    *,
    bucket: int | None,
) -> None:
    assert len(got) == len(query.metrics)
    for metric, value in zip(query.metrics, got, strict=True):
        want = figure(metric, documents, seconds=_seconds(query, bucket))
        error = answer.approximate.get(metric.name, RELATIVE_ERROR)
        where = f"{metric.agg.value} in bucket {bucket}"
        if want is None or value is None or metric.agg in (Agg.COUNT, Agg.MIN, Agg.MAX):
            assert value == want, where
        elif metric.agg in PERCENTILES:
            least, most = _within_ranks(metric, documents, answer.approximate.get(metric.name, 0.0))
            slack = max(abs(least), abs(most)) * RELATIVE_ERROR + 1e-12
            assert least - slack <= value <= most + slack, (where, value, least, most)
        elif metric.agg is Agg.UNIQUE and want <= UNIQUE_EXACT:
            assert value == want, where
        else:
            assert math.isclose(value, want, rel_tol=error, abs_tol=1e-12), (where, value, want)


def _within_ranks(
    metric: Metric, documents: Sequence[Document], error: float
) -> tuple[float, float]:
    """The values at the percentile's rank less and plus the error, a share of all ranks."""
    assert metric.field is not None
    numbers = [
        float(value)
        for document in documents
        for value in values_of(document, metric.field)
        if typed(value)[0] == "number"
    ]
    share = PERCENTILES[metric.agg]
    return (
        percentile(numbers, max(0.0, share - error)),
        percentile(numbers, min(1.0, share + error)),
    )

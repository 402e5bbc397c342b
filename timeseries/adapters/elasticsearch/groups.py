"""The groups of a query, ranked exactly, whatever the number of shards and of groups.

The most frequent groups of one field come from `terms` as long as what it says of its own error
proves them right; all else is read whole with `composite`.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from elasticsearch.dsl import query as dsl

from timeseries.adapters.elasticsearch.asking import Asking
from timeseries.adapters.elasticsearch.cells import Group
from timeseries.adapters.elasticsearch.client import Json
from timeseries.adapters.elasticsearch.filters import (
    Kind,
    all_of,
    exists,
    kind_of,
    none_of,
    places,
)
from timeseries.adapters.elasticsearch.measures import (
    Cell,
    aggregations,
    figure,
    parts_of,
)
from timeseries.domain import Agg, CoreField, Field, GroupValue, Metric, Scalar

TERMS = 1_000
"""Values of a field that are asked for at once."""
PAGE = 20_000
"""Groups that a search gives at most while all of them are read."""
_EVERYWHERE = frozenset({CoreField.EVENT, CoreField.TYPE})
_KIND_ORDER = {kind: place for place, kind in enumerate(Kind)}
_ABSENT_ORDER = (len(Kind), 0)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A group and what ranks it: its figure, None for nothing to say, and its documents."""

    group: GroupValue
    figure: float | int | None
    count: int

    def order(self) -> tuple[object, ...]:
        """Sorts as groups are ranked."""
        return rank_order(self.figure, self.group)


def rank_order(value: float | int | None, group: GroupValue) -> tuple[object, ...]:
    """Figures descending, without a figure last; ties by value."""
    return value is None, 0 if value is None else -value, tuple(map(_value_order, group))


def _value_order(value: Scalar | None) -> tuple[object, ...]:
    return _ABSENT_ORDER if value is None else (_KIND_ORDER[kind_of(value)], value)


def rank(
    asking: Asking, fields: Sequence[Field], metric: Metric, *, limit: int, starting: str = ""
) -> list[Ranked]:
    """The first groups, at most `limit`; with `starting` those alone whose first value is a string
    that starts with it."""

    def is_wanted(group: GroupValue) -> bool:
        return not starting or isinstance(group[0], str) and group[0].startswith(starting)

    found = _frequent(asking, fields[0], metric, limit, is_wanted) if len(fields) == 1 else None
    if found is not None:
        return heapq.nsmallest(limit, found, key=Ranked.order)
    every = (one for one in _every(asking, fields, metric) if is_wanted(one.group))
    return heapq.nsmallest(limit, every, key=Ranked.order)


def _frequent(
    asking: Asking,
    field: Field,
    metric: Metric,
    limit: int,
    is_wanted: Callable[[GroupValue], bool],
) -> list[Ranked] | None:
    """The groups of one field, as far as `terms` gives them; None where it may lack one that
    belongs to the first."""
    inside = {"aggs": aggregations([metric])}
    wanted: dict[str, Json] = {
        kind.value: {
            "terms": {"field": place, "size": TERMS, "show_term_doc_count_error": True},
            **inside,
        }
        for kind, place in places(field).items()
    }
    if field not in _EVERYWHERE:
        wanted["absent"] = {"filter": none_of([exists(field)]).to_dict(), **inside}
    answer = asking.aggregations({"aggs": wanted})
    if not answer:
        return []
    found = [
        _ranked((_scalar(kind, bucket["key"]),), metric, bucket)
        for kind in places(field)
        for bucket in answer[kind.value]["buckets"]
    ]
    if answer.get("absent", {"doc_count": 0})["doc_count"]:
        found.append(_ranked((None,), metric, answer["absent"]))
    found = [one for one in found if is_wanted(one.group)]
    cut = [answer[kind.value] for kind in places(field)]
    cut = [one for one in cut if one["sum_other_doc_count"]]
    return found if not cut or _are_first(cut, found, metric, limit) else None


def _are_first(cut: Sequence[Json], found: Sequence[Ranked], metric: Metric, limit: int) -> bool:
    """Whether counts that were cut off hold the first groups with their whole counts."""
    if metric.agg is not Agg.COUNT or len(found) < limit:
        return False
    least = sorted((one.count for one in found), reverse=True)[limit - 1]
    unseen = max(one["doc_count_error_upper_bound"] for one in cut)
    return bool(
        unseen < least
        and not any(
            bucket["doc_count_error_upper_bound"] > 0
            and least <= bucket["doc_count"] + bucket["doc_count_error_upper_bound"]
            for one in cut
            for bucket in one["buckets"]
        )
    )


def _every(asking: Asking, fields: Sequence[Field], metric: Metric) -> Iterator[Ranked]:
    present = _kinds_present(asking, fields)
    for branch in product(*[_branches(field, kinds) for field, kinds in present]):
        yield from _of_branch(asking, branch, metric)


class _Branch(NamedTuple):
    """Documents that have values of one type in a field, or (`kind` None) none at all; with
    `or_absent` the two together, which is right where no other type is present."""

    field: Field
    kind: Kind | None
    or_absent: bool = False


def _kinds_present(asking: Asking, fields: Sequence[Field]) -> list[tuple[Field, Sequence[Kind]]]:
    counts = {
        place: {"value_count": {"field": place}}
        for field in fields
        if not isinstance(field, CoreField)
        for place in places(field).values()
    }
    found = asking.aggregations({"aggs": counts}) if counts else {}
    return [
        (
            field,
            [
                kind
                for kind, place in places(field).items()
                if isinstance(field, CoreField) or found.get(place, {"value": 0})["value"]
            ],
        )
        for field in fields
    ]


def _branches(field: Field, kinds: Sequence[Kind]) -> list[_Branch]:
    if len(kinds) == 1:
        return [_Branch(field, kinds[0], or_absent=True)]
    return [*(_Branch(field, kind) for kind in kinds), _Branch(field, None)]


def _of_branch(asking: Asking, branch: Sequence[_Branch], metric: Metric) -> Iterator[Ranked]:
    """Page by page; a document counts once in each combination of its distinct values."""
    absent = [none_of([exists(one.field)]) for one in branch if one.kind is None]
    query = all_of(absent)
    sources = [
        {
            str(index): {
                "terms": {"field": places(one.field)[one.kind], "missing_bucket": one.or_absent}
            }
        }
        for index, one in enumerate(branch)
        if one.kind is not None
    ]
    inside = {"aggs": aggregations([metric])}
    if not sources:
        whole = {"filters": {"filters": [query.to_dict()]}, **inside}
        yield from _whole(asking.aggregations({"aggs": {"whole": whole}}), len(branch), metric)
        return
    after: Json = {}
    while True:
        page = {"composite": {"size": PAGE, "sources": sources, **after}, **inside}
        found = asking.aggregations({"query": query, "aggs": {"page": page}}).get("page", {})
        for bucket in found.get("buckets", ()):
            yield _ranked(_group(branch, bucket["key"]), metric, bucket)
        if len(found.get("buckets", ())) < PAGE:
            return
        after = {"after": found["after_key"]}


def _whole(answer: Json, width: int, metric: Metric) -> Iterable[Ranked]:
    for bucket in answer["whole"]["buckets"] if answer else ():
        if bucket["doc_count"]:
            yield _ranked((None,) * width, metric, bucket)


def _group(branch: Sequence[_Branch], key: Json) -> GroupValue:
    return tuple(
        None if one.kind is None else _scalar(one.kind, key[str(index)])
        for index, one in enumerate(branch)
    )


def _ranked(group: GroupValue, metric: Metric, bucket: Json) -> Ranked:
    (part,) = parts_of([metric], Cell(bucket["doc_count"], bucket))
    return Ranked(group, figure(metric, part), bucket["doc_count"])


def _scalar(kind: Kind, key: Any) -> Any:
    """A bucket's key as a value of its type. Any: JSON of the engine's own shape."""
    if key is None:
        return None
    if kind is Kind.BOOLEAN:
        return bool(key)
    return float(key) if kind is Kind.NUMBER else key


def documents_of(fields: Sequence[Field], group: GroupValue) -> Group:
    """Documents of a group."""
    parts: list[dsl.Query] = []
    for field, value in zip(fields, group, strict=True):
        if value is None:
            parts.append(none_of([exists(field)]))
        else:
            parts.append(dsl.Term(places(field)[kind_of(value)], {"value": value}))
    first = group[0]
    if len(group) == 1 and isinstance(first, str):
        return Group(parts[0], places(fields[0])[Kind.STRING], first)
    return Group(all_of(parts))

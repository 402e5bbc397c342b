"""Lists of what there is: keys, event names, values of a field."""

from feed.event import first_key_at
from timeseries.adapters.elasticsearch.asking import Asking
from timeseries.adapters.elasticsearch.cells import read_totals
from timeseries.adapters.elasticsearch.client import Json, Searching
from timeseries.adapters.elasticsearch.groups import documents_of, rank
from timeseries.adapters.elasticsearch.texts import asked
from timeseries.domain import (
    QUERY_TIMEOUT_S,
    Agg,
    And,
    CoreField,
    Exists,
    Filter,
    Matches,
    Metric,
    SeriesQuery,
    TextMatch,
)
from timeseries.ports import EventSeen, KeyPage, ValueSeen

PAGE = 10_000
"""Hits that the server gives at most of one search."""
_COUNT = Metric("count", Agg.COUNT)


def keys(
    searching: Searching,
    project: str,
    where: Filter,
    *,
    generation: int,
    from_ms: int,
    to_ms: int,
    before: bytes | None,
    limit: int,
) -> KeyPage:
    """See SeriesStore.keys."""
    whole = Asking(searching, project, generation, from_ms, to_ms, QUERY_TIMEOUT_S)
    asking = asked(whole, where)
    after = first_key_at(to_ms) if before is None else min(before, first_key_at(to_ms))
    found: list[tuple[bytes, int]] = []
    while len(found) <= limit:
        size = min(PAGE, limit + 1 - len(found))
        body = {
            "size": size,
            "sort": [{"k": "desc"}],
            "search_after": [after.hex()],
            "docvalue_fields": ["v"],
        }
        hits = asking.search(body)["hits"]["hits"]
        found += [(bytes.fromhex(hit["sort"][0]), int(hit["fields"]["v"][0])) for hit in hits]
        if len(hits) < size:
            break
        after = found[-1][0]
    page = found[:limit]
    return KeyPage(page, page[-1][0] if len(found) > limit else None)


def events_seen(
    searching: Searching, project: str, *, generation: int, limit: int
) -> list[EventSeen]:
    """See SeriesStore.events_seen."""
    asking = Asking(searching, project, generation, None, None, QUERY_TIMEOUT_S)
    by_event = (CoreField.EVENT,)
    ranked = rank(asking, by_event, _COUNT, limit=limit)
    edges: dict[str, Json] = {"first": {"min": {"field": "t"}}, "last": {"max": {"field": "t"}}}
    groups = [documents_of(by_event, one.group) for one in ranked]
    return [
        EventSeen(
            str(one.group[0]),
            found.total.count,
            int(found.total.found["first"]["value"]),
            int(found.total.found["last"]["value"]),
        )
        for one, found in zip(ranked, read_totals(asking, groups, edges), strict=True)
        if found.total.count
    ]


def values_seen(
    searching: Searching,
    query: SeriesQuery,
    *,
    generation: int,
    prefix: str,
    limit: int,
    timeout_s: float,
) -> list[ValueSeen]:
    """See SeriesStore.values_seen."""
    (field,) = query.group_by
    whole = Asking(searching, query.project, generation, query.from_ms, query.to_ms, timeout_s)
    present: Filter = Matches(field, TextMatch.STARTS_WITH, (prefix,)) if prefix else Exists(field)
    asking = asked(whole, And((query.filter, present)))
    ranked = rank(asking, query.group_by, _COUNT, limit=limit, starting=prefix)
    return [ValueSeen(one.group[0], one.count) for one in ranked if one.group[0] is not None]

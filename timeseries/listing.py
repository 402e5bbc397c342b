"""The events themselves, newest first: what is asked, and a page of the answer. Knows no HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec

from feed.codec import decode
from feed.event import Event, key_text, key_time_ms
from timeseries.calendar import EARLIEST_MS, LATEST_MS, text_of, zone_of
from timeseries.cursors import BadCursor, Cursor, read_cursor, write_cursor
from timeseries.domain import Filter
from timeseries.errors import QueryRefused, invalid_query
from timeseries.filters import both, filter_as_json, parse_filter
from timeseries.parsing import Asker, object_of
from timeseries.payloads import EventOut
from timeseries.ports import RecordSource
from timeseries.queries import View
from timeseries.ranges import TimeRange, parse_range, parse_timezone
from timeseries.resolution import QueryWarning, Resolver

DEFAULT_EVENTS = 50
MAX_EVENTS = 500
_MEMBERS = ("range", "timezone", "filter", "limit", "cursor")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which events; `identity` says all of it but limit and cursor, so that a cursor fits this list
    alone."""

    project: str
    times: TimeRange
    where: Filter
    limit: int
    cursor: Cursor | None
    identity: str


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events newest first, as the generation has them. `is_whole` is false when the warehouse did
    not have one of them yet."""

    generation: int
    events: Sequence[EventOut]
    next_cursor: str | None
    warnings: Sequence[QueryWarning]
    is_whole: bool


def parse_list_query(payload: object, asker: Asker) -> ListQuery:
    """The list that `payload` asks for; all times where it gives no range. Raises QueryRefused."""
    members = object_of(payload, _MEMBERS)
    times = _times(members, asker)
    where = both(parse_filter(members.get("filter")), asker.claim)
    parts = [asker.project, times.timezone, filter_as_json(where), _range_identity(members, times)]
    identity = msgspec.json.encode(parts).decode()
    return ListQuery(
        project=asker.project,
        times=times,
        where=where,
        limit=parse_limit(members.get("limit"), default=DEFAULT_EVENTS, most=MAX_EVENTS),
        cursor=_cursor(members.get("cursor"), identity),
        identity=identity,
    )


def _times(members: Mapping[str, object], asker: Asker) -> TimeRange:
    if members.get("range") is None:
        name = parse_timezone(members.get("timezone"), "timezone")
        return TimeRange(EARLIEST_MS, LATEST_MS, name)
    return parse_range(
        members["range"], timezone=members.get("timezone"), now_ms=asker.now_ms, default="24h"
    )


def _range_identity(members: Mapping[str, object], times: TimeRange) -> object:
    """What was written, since a range that ends now moves between two pages of one list."""
    return members.get("range") or [times.from_ms, times.to_ms]


def parse_limit(value: object, *, default: int, most: int) -> int:
    """Raises QueryRefused."""
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
        return value
    raise invalid_query("limit", f"limit takes a whole number from 1 to {most}")


def _cursor(value: object, identity: str) -> Cursor | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return read_cursor(value, identity)
    except BadCursor as exc:
        raise invalid_query("cursor", str(exc)) from exc
    raise invalid_query("cursor", "cursor takes a text")


def generation_of(query: ListQuery, asked: int | None) -> int | None:
    """The generation to read: a list goes on in the one that it began in. Raises QueryRefused for
    a cursor of another one than is asked for."""
    if query.cursor is None:
        return asked
    began_in = query.cursor.generation
    if asked is not None and asked != began_in:
        raise invalid_query("cursor", f"the cursor is of a list in generation {began_in}")
    return began_in


def check_cursor(query: ListQuery, generations: Sequence[int]) -> None:
    """Raises QueryRefused `cursor_expired` for a cursor into a generation that is gone."""
    if query.cursor is not None and query.cursor.generation not in generations:
        raise QueryRefused(
            "cursor_expired",
            "the view was rebuilt and the old one dropped: start again without a cursor",
            field="cursor",
        )


def read_page(query: ListQuery, view: View, source: RecordSource) -> EventPage:
    """A page of the list in the view's generation, which is the cursor's where there is one.

    Raises QueryRefused, SeriesUnavailable, RecordsUnavailable.
    """
    resolver = Resolver(view.slots, query.project, view.generation)
    page = view.store.keys(
        query.project,
        resolver.filter(query.where),
        generation=view.generation,
        from_ms=query.times.from_ms,
        to_ms=query.times.to_ms,
        before=None if query.cursor is None else query.cursor.key,
        limit=query.limit,
    )
    keys = [key for key, _ in page.keys]
    records = source.records(query.project, keys) if keys else {}
    following = page.next_key
    return EventPage(
        generation=view.generation,
        events=list(_events(keys, records, query)),
        next_cursor=None
        if following is None
        else write_cursor(Cursor(view.generation, following), query.identity),
        warnings=list(resolver.warnings.values()),
        is_whole=len(records) == len(keys),
    )


def _events(
    keys: Sequence[bytes], records: Mapping[bytes, bytes], query: ListQuery
) -> Iterator[EventOut]:
    zone = zone_of(query.times.timezone)
    for key in keys:
        record = records.get(key)
        yield _unstored(key, zone) if record is None else _whole(decode(record), zone)


def _unstored(key: bytes, zone: ZoneInfo) -> EventOut:
    """The projector may be ahead of the sink: the event is named, never left out in silence."""
    return EventOut(key_text(key), text_of(key_time_ms(key), zone), stored=False)


def _whole(event: Event, zone: ZoneInfo) -> EventOut:
    return EventOut(
        key=key_text(event.key),
        timestamp=text_of(event.occurred_at_ms, zone),
        id=event.id,
        event=event.event,
        type=event.type,
        received_at=text_of(event.received_at_ms, zone),
        sent_at=None if event.sent_at_ms is None else text_of(event.sent_at_ms, zone),
        transport=event.transport,
        user_id=event.user_id,
        anonymous_id=event.anonymous_id,
        session_id=event.session_id,
        properties=msgspec.Raw(event.properties.encode()),
        context=msgspec.Raw(event.context.encode()),
    )

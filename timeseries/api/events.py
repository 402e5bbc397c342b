"""The door of /v1/query/events: the events themselves, newest first, page by page."""

from collections.abc import Callable, Sequence

import msgspec

from access.http import Door, Request
from access.problems import Reply
from timeseries.api.bodies import read_query
from timeseries.api.caching import CACHE_HEADERS, etag_of, matches
from timeseries.api.frame import identify, problems
from timeseries.api.rest import Surroundings
from timeseries.domain import QUERY_TIMEOUT_S
from timeseries.formats import CONTENT_TYPES, Format, csv_bytes, negotiate
from timeseries.listing import (
    EventPage,
    ListQuery,
    check_cursor,
    generation_of,
    parse_list_query,
    read_page,
)
from timeseries.payloads import EventList, ListMeta, WarningOut
from timeseries.ports import RecordSource
from timeseries.queries import View
from timeseries.views import parse_generation

LIST_NAMES = ("event", "range", "from", "to", "timezone", "limit", "filter", "cursor")
_CSV_COLUMNS = (
    "key",
    "id",
    "event",
    "type",
    "timestamp",
    "received_at",
    "sent_at",
    "transport",
    "user_id",
    "anonymous_id",
    "session_id",
    "properties",
    "context",
)


def events_door(
    around: Surroundings, source: RecordSource, generations: Callable[[], Sequence[int]]
) -> Door:
    """The door, for GET alone. `generations` are those that are not dropped."""

    async def door(request: Request) -> Reply:
        asker = identify(request, query_token=True)
        with problems():
            payload, parameters = await read_query(request, LIST_NAMES, extras=("generation",))
            query = parse_list_query(payload, asker)
            generation = generation_of(query, parse_generation(parameters.one("generation")))
            form = negotiate(request.path_params.get("suffix"), request.header("accept"))
            if_none_match = request.header("if-none-match")

            def answer(_left_s: float) -> Reply:
                check_cursor(query, generations())
                with around.view(generation) as view:
                    return _answer(query, view, source, form=form, if_none_match=if_none_match)

            return await around.threads().run(answer, timeout_s=QUERY_TIMEOUT_S)

    return door


def _answer(
    query: ListQuery,
    view: View,
    source: RecordSource,
    *,
    form: Format,
    if_none_match: str | None,
) -> Reply:
    version = view.store.data_version(query.project, generation=view.generation)
    cursor = None if query.cursor is None else query.cursor.key.hex()
    etag = etag_of([query.identity, query.limit, cursor, form, view.generation, version])
    headers = dict(CACHE_HEADERS)
    if matches(etag, if_none_match):
        return Reply(304, b"", CONTENT_TYPES[form], headers | {"ETag": etag})
    page = read_page(query, view, source)
    if page.is_whole:
        headers["ETag"] = etag
    if form is not Format.JSON and page.next_cursor:
        headers["X-Next-Cursor"] = page.next_cursor
    return Reply(200, _encoded(page, form), CONTENT_TYPES[form], headers)


def _encoded(page: EventPage, form: Format) -> bytes:
    if form is Format.NDJSON:
        return b"".join(msgspec.json.encode(event) + b"\n" for event in page.events)
    if form is Format.CSV:
        rows = ([_cell(getattr(event, name)) for name in _CSV_COLUMNS] for event in page.events)
        return csv_bytes(_CSV_COLUMNS, rows)
    warnings = [
        WarningOut(warning.code, warning.field, warning.detail) for warning in page.warnings
    ]
    meta = ListMeta(page.generation, warnings)
    return msgspec.json.encode(EventList(list(page.events), page.next_cursor, meta))


def _cell(value: object) -> str | None:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return value if isinstance(value, str) else None

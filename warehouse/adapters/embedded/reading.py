"""Reads pages, rows, hours and counts: each function is one short look at the file, and none
leaves a read transaction behind."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from feed.event import HOUR_MS
from feed.sqlite import Connection, reading
from warehouse.adapters.embedded.schema import join_key, split_key
from warehouse.ports import Checkpoint, Page, Partition, Row, ScanWindow

Place = tuple[int, bytes]
"""Time and tail of a key after which to read on; a tail of b"" lies before every key of its
millisecond."""
Bindings = tuple[str | int | bytes, ...]

_PROJECT = "(SELECT id FROM projects WHERE name = ?1)"
_NAMED = "AND name_id IN (SELECT id FROM names WHERE name IN (SELECT value FROM json_each({})))"
_NEXT_TIME = f"""
SELECT time_ms FROM placed WHERE project_id = {_PROJECT}
AND (time_ms, tail) > (?2, ?3) AND time_ms < ?4 ORDER BY time_ms LIMIT 1
"""  # noqa: S608
_PAGE = f"""
SELECT time_ms, tail, names.name, version, record
FROM placed JOIN records ON records.id = record_id JOIN names ON names.id = name_id
WHERE project_id = {_PROJECT} AND (time_ms, tail) > (?2, ?3) AND time_ms < ?4 {{named}}
ORDER BY time_ms, tail LIMIT ?5
"""  # noqa: S608
_ROW = f"""
SELECT names.name, version, record
FROM placed JOIN records ON records.id = record_id JOIN names ON names.id = name_id
WHERE project_id = {_PROJECT} AND time_ms = ?2 AND tail = ?3
"""  # noqa: S608
_COUNT = f"""
SELECT (SELECT name FROM names WHERE id = name_id), count(*), sum(hash24)
FROM placed WHERE project_id = {_PROJECT} AND time_ms >= ?2 AND time_ms < ?3 {{named}}
GROUP BY name_id
"""  # noqa: S608


def first_place(window: ScanWindow, after: Checkpoint | None) -> Place:
    """Where a scan of the window goes on."""
    start = (window.start_ms, b"")
    return start if after is None else max(start, split_key(after.last_key))


def next_page(
    connection: Connection, window: ScanWindow, place: Place, page_rows: int
) -> Page | None:
    """The next page that has a row, None at the window's end."""
    while True:
        hour_ms = _next_hour(connection, window.project, place, window.end_ms)
        if hour_ms is None:
            return None
        end_ms = min(hour_ms + HOUR_MS, window.end_ms)
        rows = _page_rows(connection, window, place, end_ms, page_rows)
        if rows:
            return Page(rows, Checkpoint(Partition(hour_ms, 0), rows[-1].key))
        place = end_ms, b""


def _next_hour(connection: Connection, project: str, place: Place, end_ms: int) -> int | None:
    found: int | None = connection.execute(_NEXT_TIME, (project, *place, end_ms)).get
    return None if found is None else found - found % HOUR_MS


def _page_rows(
    connection: Connection, window: ScanWindow, place: Place, end_ms: int, page_rows: int
) -> list[Row]:
    project = window.project
    bindings = (project, *place, end_ms, page_rows)
    found = _all(connection, *_named(_PAGE, bindings, window))
    return [
        Row(project, join_key(time_ms, tail), event, version, record)
        for time_ms, tail, event, version, record in found
    ]


def _named(sql: str, bindings: Bindings, window: ScanWindow) -> tuple[str, Bindings]:
    """The statement and its bindings, narrowed to the window's names if it has any."""
    if not window.events:
        return sql.format(named=""), bindings
    named = _NAMED.format(f"?{len(bindings) + 1}")
    return sql.format(named=named), (*bindings, json.dumps(sorted(window.events)))


def _all(connection: Connection, sql: str, bindings: Bindings) -> list[Any]:
    # Any: SQLite's own types. All at once: an open statement would be a read transaction.
    return connection.execute(sql, bindings).fetchall()


def rows_of(connection: Connection, project: str, keys: Sequence[bytes]) -> Mapping[bytes, Row]:
    """The rows of these keys, of one moment."""
    rows = {}
    with reading(connection):
        for key in keys:
            found = connection.execute(_ROW, (project, *split_key(key))).get
            if found is not None:
                rows[key] = Row(project, key, *found)
    return rows


def hours_with_events(
    connection: Connection, project: str, start_ms: int, end_ms: int
) -> list[int]:
    """Starts of the hours that hold events of [start_ms, end_ms), ascending."""
    hours: list[int] = []
    hour_ms = _next_hour(connection, project, (start_ms, b""), end_ms)
    while hour_ms is not None:
        hours.append(hour_ms)
        hour_ms = _next_hour(connection, project, (hour_ms + HOUR_MS, b""), end_ms)
    return hours


def count(
    connection: Connection, window: ScanWindow, start_ms: int, end_ms: int
) -> Mapping[str, tuple[int, int]]:
    """By event name, over times in [start_ms, end_ms): how many, and the sum of their hashes."""
    found = _all(connection, *_named(_COUNT, (window.project, start_ms, end_ms), window))
    return {event: (number, hash_sum) for event, number, hash_sum in found}

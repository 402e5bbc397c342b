"""Reads pages, rows, hours and counts: each function is one short look at the file, and none
leaves a read transaction behind."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from feed.event import HOUR_MS
from feed.sqlite import Connection, reading
from warehouse.adapters.embedded.schema import join_key, split_key
from warehouse.ports import LOOK_ROWS, Checkpoint, Page, Partition, Row, ScanWindow

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
_NTH = f"""
SELECT time_ms, tail FROM placed WHERE project_id = {_PROJECT}
AND (time_ms, tail) > (?2, ?3) AND time_ms < ?4 ORDER BY time_ms, tail LIMIT 1 OFFSET ?5 - 1
"""  # noqa: S608
_LAST = f"""
SELECT time_ms, tail FROM placed WHERE project_id = {_PROJECT}
AND (time_ms, tail) > (?2, ?3) AND time_ms < ?4 ORDER BY time_ms DESC, tail DESC LIMIT 1
"""  # noqa: S608
_PAGE = f"""
SELECT time_ms, tail, names.name, version, record
FROM placed JOIN records ON records.id = record_id JOIN names ON names.id = name_id
WHERE project_id = {_PROJECT} AND (time_ms, tail) > (?2, ?3) AND (time_ms, tail) <= (?4, ?5)
{{named}} ORDER BY time_ms, tail LIMIT ?6
"""  # noqa: S608
_ROW = f"""
SELECT names.name, version, record
FROM placed JOIN records ON records.id = record_id JOIN names ON names.id = name_id
WHERE project_id = {_PROJECT} AND time_ms = ?2 AND tail = ?3
"""  # noqa: S608
_COUNT = f"""
SELECT (SELECT name FROM names WHERE id = name_id), count(*), sum(hash24)
FROM placed
WHERE project_id = {_PROJECT} AND (time_ms, tail) > (?2, ?3) AND (time_ms, tail) <= (?4, ?5)
{{named}} GROUP BY name_id
"""  # noqa: S608


def first_place(window: ScanWindow, after: Checkpoint | None) -> Place:
    """Where a scan of the window goes on."""
    start = (window.start_ms, b"")
    return start if after is None else max(start, split_key(after.last_key))


def next_page(
    connection: Connection, window: ScanWindow, place: Place, page_rows: int
) -> Page | None:
    """The next page, None at the window's end."""
    hour_ms = _next_hour(connection, window.project, place, window.end_ms)
    if hour_ms is None:
        return None
    end_ms = min(hour_ms + HOUR_MS, window.end_ms)
    if not window.events:
        rows = _page_rows(connection, window, place, (end_ms, b""), page_rows)
        return Page(rows, Checkpoint(Partition(hour_ms, 0), rows[-1].key))
    last = _last_looked_at(connection, window.project, place, end_ms)
    rows = _page_rows(connection, window, place, last, page_rows)
    last_key = rows[-1].key if len(rows) == page_rows else join_key(*last)
    return Page(rows, Checkpoint(Partition(hour_ms, 0), last_key))


def _next_hour(connection: Connection, project: str, place: Place, end_ms: int) -> int | None:
    found: int | None = connection.execute(_NEXT_TIME, (project, *place, end_ms)).get
    return None if found is None else found - found % HOUR_MS


def _nth(connection: Connection, project: str, place: Place, end_ms: int) -> Place | None:
    """The place of the last of the next LOOK_ROWS events before `end_ms`; None of fewer."""
    found: Place | None = connection.execute(_NTH, (project, *place, end_ms, LOOK_ROWS)).get
    return found


def _last_looked_at(connection: Connection, project: str, place: Place, end_ms: int) -> Place:
    """The place of the last of the next LOOK_ROWS events before `end_ms`, of fewer if there are
    fewer; there is one."""
    last = _nth(connection, project, place, end_ms)
    if last is None:
        last = connection.execute(_LAST, (project, *place, end_ms)).get
    return last


def _page_rows(
    connection: Connection, window: ScanWindow, place: Place, last: Place, page_rows: int
) -> list[Row]:
    project = window.project
    bindings = (project, *place, *last, page_rows)
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
    connection: Connection, window: ScanWindow, place: Place, end_ms: int
) -> tuple[list[tuple[str, int, int]], Place | None]:
    """Of the next LOOK_ROWS events before `end_ms`, by name: how many, and the sum of their hashes;
    and the place to go on from, None at the end."""
    next_place = _nth(connection, window.project, place, end_ms)
    last = next_place or (end_ms, b"")
    found = _all(connection, *_named(_COUNT, (window.project, *place, *last), window))
    return found, next_place

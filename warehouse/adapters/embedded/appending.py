"""Appends batches: one transaction each, the highest version of a key wins."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from feed.crash_points import reach
from feed.event import key_hash
from feed.sqlite import Connection
from warehouse.adapters.embedded.file import StoreFile
from warehouse.adapters.embedded.schema import split_key
from warehouse.ports import Row

MAX_REMEMBERED_NAMES = 100_000
Placed = tuple[int, int, bytes, int, int, int, int]
"""A row of `placed`: project, time, tail, version, name, hash, record."""
_PLACE = """
INSERT INTO placed (project_id, time_ms, tail, version, name_id, hash24, record_id)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_FIND = """
SELECT record_id, version, ?4 FROM placed WHERE project_id = ?1 AND time_ms = ?2 AND tail = ?3
"""
_REPLACE = """
UPDATE placed SET version = ?4, name_id = ?5, hash24 = ?6
WHERE project_id = ?1 AND time_ms = ?2 AND tail = ?3 AND version < ?4
"""


class Appender:
    """Writes to one file. Thread-safe: what it remembers are ids, which never change."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        self._projects = Dictionary("projects")
        self._names = Dictionary("names")

    def append(self, rows: Sequence[Row]) -> None:
        """See `EventStore.append`."""
        newest = _newest(rows)
        with self._file.written() as connection:
            projects = self._projects.ids(connection, {row.project for row in newest})
            names = self._names.ids(connection, {row.event for row in newest})
            _store(connection, newest, projects, names)
        # Only now: ids of a transaction that failed would name nothing, or something else.
        self._projects.remember(projects)
        self._names.remember(names)


def _newest(rows: Sequence[Row]) -> list[Row]:
    """One row a key, in key order: neighbours in the file are written together."""
    newest: dict[tuple[str, bytes], Row] = {}
    for row in rows:
        place = row.project, row.key
        held = newest.get(place)
        if held is None or held.version < row.version:
            newest[place] = row
    return [newest[place] for place in sorted(newest)]


def _store(
    connection: Connection,
    rows: Sequence[Row],
    projects: Mapping[str, int],
    names: Mapping[str, int],
) -> None:
    first_id = _scalar(connection, "SELECT coalesce(max(id), 0) + 1 FROM records")
    placed: list[Placed] = [
        (
            projects[row.project],
            *split_key(row.key),
            row.version,
            names[row.event],
            key_hash(row.key, row.version),
            record_id,
        )
        for record_id, row in enumerate(rows, first_id)
    ]
    changes = connection.total_changes()
    connection.executemany(_PLACE, placed)
    reach("sink.mid_batch")
    if connection.total_changes() - changes == len(rows):
        fresh: Iterable[int] = range(len(rows))
    else:
        fresh = _replace_older(connection, rows, placed)
    connection.executemany(
        "INSERT INTO records (id, record) VALUES (?, ?)",
        [(first_id + index, rows[index].record) for index in fresh],
    )


def _replace_older(
    connection: Connection, rows: Sequence[Row], placed: Sequence[Placed]
) -> list[int]:
    """Some keys were there: replace those with an older version, leave the others. The indices of
    rows that are new."""
    found: list[Any] = connection.executemany(  # Any: SQLite's own types
        _FIND, [(*row[:3], index) for index, row in enumerate(placed)]
    ).fetchall()
    fresh = [index for record_id, _, index in found if record_id == placed[index][6]]
    older = [
        (record_id, index)
        for record_id, version, index in found
        if record_id != placed[index][6] and version < rows[index].version
    ]
    connection.executemany(_REPLACE, [placed[index][:6] for _, index in older])
    connection.executemany(
        "UPDATE records SET record = ?2 WHERE id = ?1",
        [(record_id, rows[index].record) for record_id, index in older],
    )
    return fresh


class Dictionary:
    """Text to id in one table, remembered up to a bound."""

    def __init__(self, table: str) -> None:
        self._insert = f"INSERT INTO {table} (name) VALUES (?) ON CONFLICT DO NOTHING"  # noqa: S608
        self._find = f"SELECT name, id FROM {table} WHERE name = ?"  # noqa: S608
        self._known: dict[str, int] = {}

    def ids(self, connection: Connection, texts: set[str]) -> dict[str, int]:
        """The id of each text, made where it is missing, inside the caller's transaction."""
        known = self._known
        ids = {text: known[text] for text in texts if text in known}
        unknown = [(text,) for text in texts if text not in ids]
        if unknown:
            connection.executemany(self._insert, unknown)
            found: list[Any] = connection.executemany(self._find, unknown).fetchall()
            ids.update(found)
        return ids

    def remember(self, ids: Mapping[str, int]) -> None:
        """Keep ids that are committed."""
        if len(self._known) + len(ids) > MAX_REMEMBERED_NAMES:
            self._known = {}
        self._known.update(ids)


def _scalar(connection: Connection, sql: str) -> int:
    return int(connection.execute(sql).get)

"""Documents as they should be, over a file that somebody may have changed by hand.

What was changed is taken out, the rollups of its hours are made anew from the documents that are
left, and then the batch is written as any other: all in the transaction of the batch. While the
file is sound this costs one comparison a document.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import apsw

from feed.event import HOUR_MS, first_key_at, key_time_ms
from feed.sqlite import Connection
from timeseries.adapters.embedded.catalog import Catalog
from timeseries.adapters.embedded.fetching import Found, fetch
from timeseries.adapters.embedded.rollups import Rollups
from timeseries.adapters.embedded.schema import FIXED_COLUMNS, TIERS_MS
from timeseries.adapters.embedded.tally import Tally
from timeseries.adapters.embedded.values import SEVERAL, Value
from timeseries.adapters.embedded.writing import ProjectBatch, by_project, newest_of
from timeseries.ports import Document

_FIXED = len(FIXED_COLUMNS)
_KEY, _VERSION, _EVENT = (FIXED_COLUMNS.index(name) for name in ("key", "version", "event_id"))
ROWS_AT_A_TIME = 2_000
Stored = Mapping[bytes, tuple[list[object], set[tuple[object, ...]]]]
"""Row and elements of a document, by key."""


def restore_documents(
    connection: Connection, catalog: Catalog, documents: Sequence[Document]
) -> None:
    """Store the documents that are new, newer, or not what was stored. Call it inside `writing`."""
    catalog.refresh()
    for project, members in by_project(documents):
        _Restoring(connection, catalog, catalog.project_id(project)).restore(members)


class _Restoring:
    """The documents of one project."""

    def __init__(self, connection: Connection, catalog: Catalog, project_id: int) -> None:
        self._connection, self._catalog, self._project_id = connection, catalog, project_id

    def restore(self, documents: Sequence[Document]) -> None:
        newest = newest_of(documents)
        batch = ProjectBatch(self._connection, self._catalog, self._project_id)
        stored = self._stored(newest.keys())
        changed = [
            document.key
            for document, _, _, row, elements in batch.made(list(newest.values()))
            if document.key in stored
            and stored[document.key][0][_VERSION] == document.version
            and stored[document.key] != (row, set(elements))
        ]
        missing = [key for key in newest if key not in stored]
        self._take_out([*changed, *missing])
        wrong = {hour for hour in set(map(_hour_of, missing)) if not self._is_sound(hour)}
        for hour in sorted(wrong | {_hour_of(key) for key in changed}):
            self._make_anew(hour)
        batch.write(newest.values())

    def _stored(self, keys: Collection[bytes]) -> Stored:
        where = "WHERE project_id = ? AND key IN carray(?)"
        bound = (self._project_id, apsw.carray(tuple(keys)))
        stored: dict[bytes, tuple[list[object], set[tuple[object, ...]]]] = {
            row[_KEY]: (list(row), set())
            for row in fetch(self._connection, f"SELECT * FROM docs {where}", bound)
        }
        for element in fetch(self._connection, f"SELECT * FROM elements {where}", bound):
            if element[1] in stored:
                stored[element[1]][1].add(element)
        return stored

    def _take_out(self, keys: Collection[bytes]) -> None:
        """Documents and their elements, also those that a deleted document has left behind."""
        for table in ("docs", "elements"):
            self._connection.executemany(
                f"DELETE FROM {table} WHERE project_id = ? AND key = ?",
                [(self._project_id, key) for key in keys],
            )

    def _is_sound(self, hour: int) -> bool:
        """Whether the rollups count as many documents of each event as there are."""
        counted = "SELECT event_id, n FROM counts WHERE project_id = ? AND tier = ? AND time = ?"
        there = (
            "SELECT event_id, count(*) FROM docs WHERE project_id = ? AND key >= ? AND key < ?"
            " GROUP BY event_id"
        )
        low, high = first_key_at(hour), first_key_at(hour + HOUR_MS)
        return dict(fetch(self._connection, counted, (self._project_id, HOUR_MS, hour))) == dict(
            fetch(self._connection, there, (self._project_id, low, high))
        )

    def _make_anew(self, hour: int) -> None:
        """The hour's rollups, from its documents."""
        states = self._catalog.slots(self._project_id)
        for tier in TIERS_MS:
            self._connection.execute(
                "DELETE FROM counts WHERE project_id = ? AND tier = ? AND time >= ? AND time < ?",
                (self._project_id, tier, hour, hour + HOUR_MS),
            )
        for table in ("value_counts", "numbers"):
            self._connection.executemany(
                f"DELETE FROM {table} WHERE project_id = ? AND slot = ? AND time = ?",
                [(self._project_id, slot, hour) for slot in states],
            )
        rollups = Rollups(self._connection, self._project_id, states)
        for rows in self._rows_of(hour):
            rollups.apply(self._tally(rows))

    def _rows_of(self, hour: int) -> Iterator[list[Found]]:
        low, high = bytes(first_key_at(hour)), first_key_at(hour + HOUR_MS)
        sql = (
            "SELECT * FROM docs WHERE project_id = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
        )
        while rows := fetch(self._connection, sql, (self._project_id, low, high, ROWS_AT_A_TIME)):
            yield rows
            low = rows[-1][_KEY] + b"\x00"

    def _tally(self, rows: Sequence[Found]) -> Tally:
        elements = self._elements([row[_KEY] for row in rows if SEVERAL in row[_FIXED:]])
        tally = Tally()
        for row in rows:
            values: dict[int, tuple[Value, ...]] = {
                slot: (value,)
                for slot, value in enumerate(row[_FIXED:])
                if value is not None and value != SEVERAL
            }
            values |= {slot: tuple(found) for slot, found in elements.get(row[_KEY], {}).items()}
            tally.add(key_time_ms(row[_KEY]), row[_EVENT], values)
        return tally

    def _elements(self, keys: Sequence[bytes]) -> dict[bytes, dict[int, list[Value]]]:
        found: dict[bytes, dict[int, list[Value]]] = {}
        sql = "SELECT key, slot, value FROM elements WHERE project_id = ? AND key IN carray(?)"
        if keys:
            for key, slot, value in fetch(
                self._connection, sql, (self._project_id, apsw.carray(tuple(keys)))
            ):
                found.setdefault(key, {}).setdefault(slot, []).append(value)
        return found


def _hour_of(key: bytes) -> int:
    time_ms = key_time_ms(key)
    return time_ms - time_ms % HOUR_MS

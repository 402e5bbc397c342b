"""One batch of documents into one file, inside one transaction: documents, elements, rollups."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import apsw

from feed.crash_points import reach
from feed.sqlite import Connection
from timeseries.adapters.embedded.catalog import Catalog
from timeseries.adapters.embedded.fetching import Found, fetch
from timeseries.adapters.embedded.rollups import Rollups
from timeseries.adapters.embedded.schema import FIXED_COLUMNS
from timeseries.adapters.embedded.tally import Tally, Values
from timeseries.adapters.embedded.values import SEVERAL, Value, document_values
from timeseries.ports import Document

_FIXED = len(FIXED_COLUMNS)
_EVENT, _CORE = FIXED_COLUMNS.index("event_id"), FIXED_COLUMNS.index("type")
Row = list[Value | int | None]
Element = tuple[int, bytes, int, Value, int]
Made = tuple[Document, int, Values, Row, list[Element]]
"""A document, its event's id, its values by slot, its row and its elements."""


def write_documents(
    connection: Connection, catalog: Catalog, documents: Sequence[Document]
) -> None:
    """Store the documents that are new or newer than what is there. Call it inside `writing`."""
    catalog.refresh()
    for project, members in by_project(documents):
        ProjectBatch(connection, catalog, catalog.project_id(project)).write(members)


def by_project(documents: Iterable[Document]) -> list[tuple[str, list[Document]]]:
    """The documents of each project, by its name: everyone who writes takes them in one order."""
    projects: dict[str, list[Document]] = {}
    for document in documents:
        projects.setdefault(document.project, []).append(document)
    return sorted(projects.items())


class ProjectBatch:
    """The documents of one project."""

    def __init__(self, connection: Connection, catalog: Catalog, project_id: int) -> None:
        self._connection, self._catalog, self._project_id = connection, catalog, project_id
        self._tally = Tally()

    def write(self, documents: Iterable[Document]) -> None:
        newest = newest_of(documents)
        known = self._versions(newest)
        fresh = [newest[key] for key in sorted(newest.keys() - known.keys())]
        newer = [newest[key] for key, version in known.items() if newest[key].version > version]
        if not fresh and not newer:
            return
        self._insert(fresh)
        reach("projector.mid_batch")
        for document in newer:
            self._replace(document)
        states = self._catalog.slots(self._project_id)
        Rollups(self._connection, self._project_id, states).apply(self._tally)
        self._connection.execute(
            "UPDATE projects SET version = version + 1 WHERE id = ?", (self._project_id,)
        )

    def _versions(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        rows = fetch(
            self._connection,
            "SELECT key, version FROM docs WHERE project_id = ? AND key IN carray(?)",
            (self._project_id, apsw.carray(tuple(keys))),
        )
        return dict(rows)

    def _insert(self, documents: Sequence[Document]) -> None:
        rows: list[Row] = []
        elements: list[Element] = []
        for document, event_id, values, row, more in self.made(documents):
            rows.append(row)
            elements += more
            self._tally.add(document.occurred_at_ms, event_id, values)
        self._store(rows, elements)

    def made(self, documents: Sequence[Document]) -> Iterator[Made]:
        """Each document as it lies in the file."""
        all_values = [document_values(document) for document in documents]
        blank = self._blank(all_values)
        for document, values in zip(documents, all_values, strict=True):
            event_id = self._catalog.event_id(self._project_id, document.event)
            elements: list[Element] = []
            row = self._row(document, event_id, values, blank, elements)
            yield document, event_id, values, row, elements

    def _blank(self, all_values: Iterable[Values]) -> Sequence[None]:
        highest = max((max(values) for values in all_values if values), default=-1)
        return [None] * self._catalog.columns(highest + 1)

    def _row(
        self,
        document: Document,
        event_id: int,
        values: Values,
        blank: Sequence[None],
        elements: list[Element],
    ) -> Row:
        row: Row = [
            self._project_id,
            document.key,
            document.version,
            event_id,
            document.hash24,
            document.omitted,
            document.type,
            document.user_id,
            document.anonymous_id,
            document.session_id,
            *blank,
        ]
        for slot, found in values.items():
            if len(found) == 1:
                row[_FIXED + slot] = found[0]
            else:
                row[_FIXED + slot] = SEVERAL
                elements.extend(self._elements(document.key, slot, found))
        return row

    def _elements(self, key: bytes, slot: int, found: Iterable[Value]) -> Iterable[Element]:
        seen: Counter[Value] = Counter()
        for value in found:
            yield self._project_id, key, slot, value, seen[value]
            seen[value] += 1

    def _store(self, rows: Sequence[Row], elements: Sequence[Element]) -> None:
        if rows:
            places = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"REPLACE INTO docs VALUES ({places})", rows)
        self._connection.executemany("INSERT INTO elements VALUES (?, ?, ?, ?, ?)", elements)

    def _replace(self, document: Document) -> None:
        values = document_values(document)
        event_id = self._catalog.event_id(self._project_id, document.event)
        blank = self._blank([values])
        elements: list[Element] = []
        row = self._row(document, event_id, values, blank, elements)
        old_row, old_values = self._stored(document.key)
        old_event = old_row[_EVENT]
        if list(old_row[_CORE:_FIXED]) != row[_CORE:_FIXED] or not _same(
            old_event, old_values, event_id, values
        ):
            time_ms = document.occurred_at_ms
            self._tally.replace(time_ms, old_event, old_values, -1)
            self._tally.replace(time_ms, event_id, values, 1)
        self._connection.execute(
            "DELETE FROM elements WHERE project_id = ? AND key = ?",
            (self._project_id, document.key),
        )
        self._store([row], elements)

    def _stored(self, key: bytes) -> tuple[Found, dict[int, tuple[Value, ...]]]:
        where = "WHERE project_id = ? AND key = ?"
        (row,) = fetch(self._connection, f"SELECT * FROM docs {where}", (self._project_id, key))
        values: dict[int, tuple[Value, ...]] = {}
        for slot, value in enumerate(row[_FIXED:]):
            if value is not None and value != SEVERAL:
                values[slot] = (value,)
        elements = f"SELECT slot, value FROM elements {where}"
        for slot, value in fetch(self._connection, elements, (self._project_id, key)):
            values[slot] = (*values.get(slot, ()), value)
        return row, values


def newest_of(documents: Iterable[Document]) -> dict[bytes, Document]:
    """Of several with one key the one with the highest version."""
    newest: dict[bytes, Document] = {}
    for document in documents:
        held = newest.get(document.key)
        if held is None or held.version < document.version:
            newest[document.key] = document
    return newest


def _same(old_event: object, old_values: Values, event_id: int, values: Values) -> bool:
    return (
        old_event == event_id
        and old_values.keys() == values.keys()
        and all(Counter(found) == Counter(old_values[slot]) for slot, found in values.items())
    )

"""What the port reads besides figures: keys, versions, hours, entries, names. Each call is inside
`reading`."""

from collections.abc import Iterator, Sequence

import apsw

from feed.event import HOUR_MS, first_key_at, key_time_ms
from feed.sqlite import Connection
from timeseries.adapters.embedded.catalog import read_states
from timeseries.adapters.embedded.fetching import fetch, fetch_first
from timeseries.adapters.embedded.pieces import DOCUMENTS, Piece, fill_pieces
from timeseries.adapters.embedded.relations import Documents
from timeseries.adapters.embedded.schema import QUARTER_MS
from timeseries.adapters.embedded.statement import Bindings, compile_filter
from timeseries.domain import Filter
from timeseries.ports import DocumentHour, Entry, EventSeen, KeyPage


def project_id(connection: Connection, project: str) -> int | None:
    """The project's id, None before its first document."""
    found = fetch(connection, "SELECT id FROM projects WHERE name = ?", (project,))
    return int(found[0][0]) if found else None


def data_version(connection: Connection, project: str) -> str:
    """The file's own nonce and the number of changes to the project in it."""
    (nonce,) = fetch(connection, "SELECT hex(nonce) FROM file")[0]
    found = fetch(connection, "SELECT version FROM projects WHERE name = ?", (project,))
    return f"{nonce}.{found[0][0] if found else 0}"


def keys(
    connection: Connection,
    project: int,
    where: Filter,
    *,
    from_ms: int,
    to_ms: int,
    before: bytes | None,
    limit: int,
) -> KeyPage:
    """See SeriesStore.keys."""
    high = first_key_at(to_ms)
    bindings = Bindings(
        {
            "project": project,
            "low": first_key_at(from_ms),
            "high": high if before is None else min(high, before),
            "limit": limit + 1,
        }
    )
    matches = compile_filter(where, Documents(read_states(connection, project)), bindings)
    found = fetch(
        connection,
        "SELECT d.key, d.version FROM docs d WHERE d.project_id = :project"
        f" AND d.key >= :low AND d.key < :high AND {matches} ORDER BY d.key DESC LIMIT :limit",
        bindings.values,
    )
    page = found[:limit]
    return KeyPage(page, page[-1][0] if len(found) > limit else None)


def versions(connection: Connection, project: int, wanted: Sequence[bytes]) -> dict[bytes, int]:
    """See SeriesStore.versions."""
    found = fetch(
        connection,
        "SELECT key, version FROM docs WHERE project_id = ? AND key IN carray(?)",
        (project, apsw.carray(tuple(wanted))),
    )
    return dict(found)


def hours_with_documents(
    connection: Connection, project: int, start_ms: int, end_ms: int
) -> list[int]:
    """The hours that touch [start_ms, end_ms) and have documents, ascending: a seek an hour."""
    hours: list[int] = []
    while start_ms < end_ms:
        found = fetch_first(
            connection,
            "SELECT key FROM docs WHERE project_id = ? AND key >= ? AND key < ?"
            " ORDER BY key LIMIT 1",
            (project, first_key_at(start_ms), first_key_at(end_ms)),
        )
        if found is None:
            break
        hours.append(key_time_ms(found[0]) // HOUR_MS * HOUR_MS)
        start_ms = hours[-1] + HOUR_MS
    return hours


def document_hours(
    connection: Connection, project: int, hours: Sequence[int], start_ms: int, end_ms: int
) -> list[DocumentHour]:
    """Counts and hash sums of these hours, as far as they lie in [start_ms, end_ms)."""
    fill_pieces(
        connection,
        [
            Piece(DOCUMENTS, index, max(hour, start_ms), min(hour + HOUR_MS, end_ms))
            for index, hour in enumerate(hours)
        ],
    )
    found = fetch(
        connection,
        "SELECT p.bucket, e.name, count(*), sum(d.hash24) FROM temp.pieces p"
        " CROSS JOIN docs d ON d.project_id = ? AND d.key >= p.low AND d.key < p.high"
        " CROSS JOIN event_names e ON e.id = d.event_id"
        " GROUP BY p.bucket, e.name ORDER BY p.bucket, e.name",
        (project,),
    )
    return [DocumentHour(hours[index], name, n, hashes) for index, name, n, hashes in found]


def entries(
    connection: Connection,
    project: int,
    *,
    start_ms: int,
    end_ms: int,
    after: bytes | None,
    limit: int,
) -> list[Entry]:
    """See SeriesStore.entries."""
    low = first_key_at(start_ms)  # never a key itself
    found = fetch(
        connection,
        "SELECT d.key, e.name, d.version, d.hash24 FROM docs d"
        " CROSS JOIN event_names e ON e.id = d.event_id"
        " WHERE d.project_id = ? AND d.key > ? AND d.key < ? ORDER BY d.key LIMIT ?",
        (project, low if after is None else max(low, after), first_key_at(end_ms), limit),
    )
    return [Entry(*row) for row in found]


def events_seen(connection: Connection, project: int, *, limit: int) -> list[EventSeen]:
    """See SeriesStore.events_seen."""
    found = fetch(
        connection,
        "SELECT c.event_id, e.name, sum(c.n) AS total, min(c.time), max(c.time) FROM counts c"
        " JOIN event_names e ON e.id = c.event_id WHERE c.project_id = ? AND c.tier = ?"
        " GROUP BY c.event_id ORDER BY total DESC, e.name LIMIT ?",
        (project, QUARTER_MS, limit),
    )
    return [
        EventSeen(
            name,
            total,
            _edge(connection, project, event_id, first, "ASC"),
            _edge(connection, project, event_id, last, "DESC"),
        )
        for event_id, name, total, first, last in found
    ]


def _edge(connection: Connection, project: int, event_id: int, quarter: int, order: str) -> int:
    """The time of an event name's first or last document in a quarter of an hour."""
    found = fetch(
        connection,
        "SELECT key FROM docs WHERE project_id = ? AND key >= ? AND key < ? AND event_id = ?"
        f" ORDER BY key {order} LIMIT 1",
        (project, first_key_at(quarter), first_key_at(quarter + QUARTER_MS), event_id),
    )
    return key_time_ms(found[0][0])


def chunks(hours: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The hours, `size` at a time."""
    for first in range(0, len(hours), size):
        yield hours[first : first + size]

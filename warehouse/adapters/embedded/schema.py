"""The tables of the event store's file.

Two tables an event: `placed` is narrow and in key order, so that counting an hour, skipping events
of other names and placing a late event touch few pages; `records` is only ever appended to
(docs/decisions/0015-embedded-event-store.md has the measurements). A key lies there as its time (an
integer, so that hours are ranges) and its other 10 bytes; both together order as the key does.
"""

from feed.event import EventKey
from feed.sqlite import Connection, writing
from warehouse.errors import StoreUnavailable

FORMAT = 1
TIME_BYTES = 6
_TABLES = """
CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE records (id INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
CREATE TABLE placed (
    project_id INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    tail BLOB NOT NULL,
    version INTEGER NOT NULL,
    name_id INTEGER NOT NULL,
    hash24 INTEGER NOT NULL,
    record_id INTEGER NOT NULL,
    PRIMARY KEY (project_id, time_ms, tail)
) STRICT, WITHOUT ROWID;
"""


def ensure_tables(connection: Connection) -> bool:
    """Make the tables unless they are there; whether they were made now.

    Raises StoreUnavailable when a newer Weir wrote the file.
    """
    if _format(connection) == FORMAT:
        return False
    with writing(connection):
        found = _format(connection)
        if found > FORMAT:
            raise StoreUnavailable(
                f"the event store's file has format {found}, this Weir knows {FORMAT}: upgrade it"
            )
        if found == FORMAT:
            return False
        connection.execute(_TABLES)
        connection.pragma("user_version", FORMAT)
    return True


def _format(connection: Connection) -> int:
    return int(connection.pragma("user_version"))


def split_key(key: bytes) -> tuple[int, bytes]:
    """Time (ms) and tail of a key, as they lie in `placed`."""
    return int.from_bytes(key[:TIME_BYTES], "big"), key[TIME_BYTES:]


def join_key(time_ms: int, tail: bytes) -> EventKey:
    """The key that `split_key` split."""
    return EventKey(time_ms.to_bytes(TIME_BYTES, "big") + tail)

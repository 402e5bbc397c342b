"""Rows of a statement, typed as loosely as SQLite's columns are."""

from collections.abc import Mapping, Sequence
from typing import Any

from feed.sqlite import Connection
from timeseries.adapters.embedded.values import Value

Bound = Value | int | None
Found = tuple[Any, ...]  # Any: a column holds whatever was stored in it


def fetch(
    connection: Connection,
    sql: str,
    bindings: Sequence[object] | Mapping[str, Bound] = (),
) -> list[Found]:
    """All rows. Bindings may hold what apsw gives, such as carray."""
    return connection.execute(sql, bindings).fetchall()


def fetch_first(
    connection: Connection,
    sql: str,
    bindings: Sequence[object] | Mapping[str, Bound] = (),
) -> Found | None:
    """The first row, if there is one."""
    rows = fetch(connection, sql, bindings)
    return rows[0] if rows else None

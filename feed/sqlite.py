"""How the embedded engines open their files: SQLite in WAL mode through apsw, the same way
everywhere.

apsw alone, since it brings a current SQLite: versions before 3.51.3 can corrupt a WAL file that
several processes write
and checkpoint (docs/decisions/0003-embedded-engines.md). Each connection belongs to one thread.
"""

import os
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

BUSY_TIMEOUT_MS = 10_000
SWITCH_AGAIN_S = 0.005
JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024
Connection = apsw.Connection
Busy = apsw.BusyError
"""Raised when a lock could not be had within BUSY_TIMEOUT_MS: an adapter turns it into its port's
Backpressure."""
SQLiteError = apsw.Error
FILE_FAULTS = (
    apsw.IOError,
    apsw.FullError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.NoMemError,
    OSError,
)
"""What a disk or an operator can do to a file: an adapter turns it into its port's unavailability.
Anything else that SQLite raises is a bug of ours."""

_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()
_of_parent: list[Connection] = []
"""In a forked child: what its parent had open. Neither used nor closed here, so never collected."""


class ForkedWithOpenFiles(apsw.Error):
    """This process was forked while its parent had SQLite files open: open them after the fork, or
    start a new process."""

    def __init__(self) -> None:
        super().__init__((self.__doc__ or "").strip())


def open_file(path: Path, *, cache_mb: int = 8, mmap_mb: int = 64) -> Connection:
    """A connection to a file in WAL mode, fully synchronous; the folder is made if need be.

    Raises ForkedWithOpenFiles in a child that inherited open files: SQLite would take its parent's
    locks for its own, and the parent could delete a WAL that the child writes.
    """
    if _of_parent:
        raise ForkedWithOpenFiles
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = apsw.Connection(os.fspath(path), statementcachesize=256)
    _open.add(connection)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    _switch_to_wal(connection)
    connection.pragma("synchronous", "full")
    connection.pragma("journal_size_limit", JOURNAL_LIMIT_BYTES)
    connection.pragma("cache_size", -cache_mb * 1024)
    connection.pragma("mmap_size", mmap_mb * 1024 * 1024)
    return connection


def _switch_to_wal(connection: Connection) -> None:
    """Waits for others that switch the same new file: SQLite itself does not, it gives up at once
    where two could wait for each other. Raises Busy."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.pragma("journal_mode", "wal")
        except Busy:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(SWITCH_AGAIN_S)
        else:
            return


@contextmanager
def writing(connection: Connection) -> Iterator[None]:
    """One write transaction: IMMEDIATE, so that a lock is waited for at its start and never fails
    half-way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise


@contextmanager
def reading(connection: Connection) -> Iterator[None]:
    """One consistent snapshot. Keep it short: no read transaction outlives a page of results, or
    the WAL grows."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def rows(
    connection: Connection, statement: str, bindings: Sequence[int | str | bytes | None] = ()
) -> list[tuple[Any, ...]]:  # Any: a column's type is the schema's
    """Every row of a statement; its read transaction is over on return."""
    return connection.execute(statement, tuple(bindings)).fetchall()


def _is_open(connection: Connection) -> bool:
    try:
        return connection.open_flags != 0
    except apsw.ConnectionClosedError:
        return False


def _after_fork() -> None:
    _of_parent.extend(filter(_is_open, _open))
    _open.clear()


os.register_at_fork(after_in_child=_after_fork)

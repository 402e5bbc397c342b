"""The event store's file: connections lent to one thread at a time, SQLite's errors in the port's
words, and a write-ahead log that stays bounded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from feed import sqlite
from feed.sqlite import FILE_FAULTS, Busy, Connection, open_file, writing
from warehouse.adapters.embedded.schema import ensure_tables
from warehouse.errors import StoreBackpressure, StoreUnavailable

IDLE_CONNECTIONS = 4
CHECKPOINT_PAGES = 8_192
"""32 MB of write-ahead log: then the process that wrote last moves it into the file, as far as
nobody reads it; SQLite's own lock lets one at a time."""
MAX_LOG_BYTES = 128 * 1024 * 1024
"""Then writers wait for a whole checkpoint: several that never pause could let the log grow for
ever."""
CUT_PATIENCE_MS = 1_000


class StoreFile:
    """Opens connections as they are needed and keeps a few. Thread-safe; opens nothing at once."""

    def __init__(self, path: Path, *, cache_mb: int) -> None:
        self._path, self._cache_mb = path, cache_mb
        self._log_path = path.with_name(f"{path.name}-wal")
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._is_closed = False

    @contextmanager
    def lent(
        self, *, when_busy: type[StoreBackpressure] = StoreUnavailable
    ) -> Iterator[Connection]:
        """A connection of one's own until the block ends. Raises StoreUnavailable."""
        with self._translated(when_busy):
            connection = self._take()
            try:
                yield connection
            except BaseException:
                # It may be in the midst of a statement, which would hold a read transaction.
                connection.close(force=True)
                raise
            self._give_back(connection)

    @contextmanager
    def written(self) -> Iterator[Connection]:
        """One durable write transaction. Raises StoreBackpressure, StoreUnavailable."""
        with self.lent(when_busy=StoreBackpressure) as connection:
            with writing(connection):
                yield connection
            self._bound_log(connection)

    def ensure(self) -> bool:
        """Make the file and its tables; whether they were made now. Raises StoreUnavailable."""
        with self._translated(StoreUnavailable):
            connection = open_file(self._path, cache_mb=self._cache_mb)
            try:
                return ensure_tables(connection)
            finally:
                connection.close()

    def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = open_file(self._path, cache_mb=self._cache_mb)
        connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        ensure_tables(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._is_closed and len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _bound_log(self, connection: Connection) -> None:
        if self._log_path.stat().st_size < MAX_LOG_BYTES:
            return
        connection.set_busy_timeout(CUT_PATIENCE_MS)
        with suppress(Busy):  # somebody reads a long page; the next batch tries again
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        connection.set_busy_timeout(sqlite.BUSY_TIMEOUT_MS)

    @contextmanager
    def _translated(self, when_busy: type[StoreBackpressure]) -> Iterator[None]:
        try:
            yield
        except Busy as exc:
            raise when_busy(f"another process holds {self._path} for too long: {exc}") from exc
        except FILE_FAULTS as exc:
            raise StoreUnavailable(f"{self._path} cannot be used: {exc}") from exc

"""The connections to one generation's file: one that writes, a few that read.

A generation that was dropped leaves a marker beside where its file was, written before anything is
deleted. Whoever opens the file looks for the marker before and after: so a file that comes into
being behind the back of a drop goes at once, and a drop that was killed is told from none.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue

import apsw

from feed.crash_points import reach
from feed.sqlite import FILE_FAULTS, Connection, open_file, reading, writing
from timeseries.adapters.embedded.catalog import Catalog
from timeseries.adapters.embedded.pieces import CREATE_PIECES
from timeseries.adapters.embedded.schema import ensure_tables
from timeseries.errors import GenerationDropped, QueryTimeout, SeriesUnavailable

MAX_IDLE_READERS = 4
"""Connections kept open between queries; each holds a page cache of READ_CACHE_MB."""
READ_CACHE_MB = 16
WRITE_CACHE_MB = 48
WAL_PAGES = 4_000
"""Pages of 4 KB in the WAL before a commit moves them into the file."""
STEPS_BETWEEN_LOOKS = 50_000
"""Steps of SQLite's machine between looks at the clock: a few milliseconds."""


class GenerationFile:
    """One file; thread-safe. Opens and makes it at first use."""

    def __init__(self, path: Path) -> None:
        self._path, self._marker = path, path.with_suffix(".dropped")
        self._write_lock = threading.Lock()
        self._writer: tuple[Connection, Catalog] | None = None
        self._readers: LifoQueue[Connection] = LifoQueue(MAX_IDLE_READERS)

    def ensure(self) -> bool:
        """Make the file and its tables; whether something was missing."""
        with self._translating():
            connection, is_new = self._open()
            connection.close()
            return is_new

    def is_dropped(self) -> bool:
        """Whether any process dropped it."""
        return self._marker.exists()

    def drop(self) -> None:
        """Delete the file for good. Idempotent: another call completes one that was killed."""
        with self._translating():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _write_marker(self._marker)
            reach("view.dropped_before_free")
            self.close()
            self._delete()

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, Catalog]]:
        """One write transaction. Raises SeriesUnavailable when the file can't be written now."""
        with self._translating(), self._write_lock:
            self._refuse_if_dropped()
            connection, catalog = self._open_writer()
            try:
                with writing(connection):
                    yield connection, catalog
            except BaseException:
                catalog.forget()
                raise

    @contextmanager
    def reading(self, *, timeout_s: float) -> Iterator[Connection]:
        """One snapshot, for at most `timeout_s`. Raises QueryTimeout, SeriesUnavailable."""
        with self._translating():
            self._refuse_if_dropped()
            connection = self._take_reader()
            connection.set_progress_handler(_deadline(timeout_s), STEPS_BETWEEN_LOOKS)
            try:
                with reading(connection):
                    yield connection
            finally:
                connection.set_progress_handler(None)
                self._give_back(connection)

    def close(self) -> None:
        """Close every idle connection; those in use go with this object."""
        with self._write_lock:
            if self._writer is not None:
                self._writer[0].close()
                self._writer = None
        while True:
            try:
                self._readers.get_nowait().close()
            except Empty:
                return

    def _open_writer(self) -> tuple[Connection, Catalog]:
        if self._writer is None:
            connection, _ = self._open(WRITE_CACHE_MB)
            connection.wal_autocheckpoint(WAL_PAGES)
            self._writer = connection, Catalog(connection)
        return self._writer

    def _take_reader(self) -> Connection:
        try:
            return self._readers.get_nowait()
        except Empty:
            connection, _ = self._open(READ_CACHE_MB)
            connection.execute(CREATE_PIECES)
            return connection

    def _open(self, cache_mb: int = READ_CACHE_MB) -> tuple[Connection, bool]:
        """A connection to the file, and whether its tables were made now."""
        self._refuse_if_dropped()
        connection = open_file(self._path, cache_mb=cache_mb)
        try:
            is_new = ensure_tables(connection)
            self._refuse_if_dropped()
        except BaseException:
            connection.close()
            if self.is_dropped():
                self._delete()
            raise
        return connection, is_new

    def _refuse_if_dropped(self) -> None:
        if self.is_dropped():
            raise GenerationDropped(f"{self._path.stem} of the view was dropped")

    def _delete(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _give_back(self, connection: Connection) -> None:
        if self._readers.full():
            connection.close()
        else:
            self._readers.put_nowait(connection)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except apsw.InterruptError as exc:
            raise QueryTimeout from exc
        except (apsw.BusyError, apsw.LockedError) as exc:
            raise SeriesUnavailable(f"{self._path.name} is locked by another process") from exc
        except FILE_FAULTS as exc:
            raise SeriesUnavailable(f"{self._path} cannot be used now: {exc}") from exc


def _write_marker(path: Path) -> None:
    """Durably: after a power cut too, a drop that deleted anything is known to have begun."""
    path.touch()
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _deadline(timeout_s: float) -> Callable[[], bool]:
    ends_s = time.monotonic() + timeout_s
    return lambda: time.monotonic() > ends_s

"""Where the embedded feed's files lie, how they are made, and how SQLite's errors become the
port's."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feed.errors import FeedUnavailable
from feed.sqlite import Connection, SQLiteError, open_file

GROUPS_FILE = "groups.sqlite"
MEMBERS_FOLDER = "members"
CHECKPOINT_PAGES = 4000
"""About 16 MB of WAL, then the process that wrote last moves it into the file; SQLite's own lock
lets one at a time."""


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """Whatever SQLite or the disk refuses inside, FeedUnavailable says."""
    try:
        yield
    except (SQLiteError, OSError) as exc:
        raise FeedUnavailable(f"{what}: {type(exc).__name__}: {exc}") from exc


def topic_path(folder: Path, topic: str) -> Path:
    """The file of one topic."""
    return folder / f"{topic}.sqlite"


def open_existing(path: Path, *, cache_mb: int = 8) -> Connection:
    """A connection to a file that `ensure_topics` has made. Raises FeedUnavailable when it is not
    there."""
    if not path.is_file():
        raise FeedUnavailable(f"{path} does not exist: run manage.py ensure_engines")
    with unavailable(f"cannot open {path}"):
        connection = open_file(path, cache_mb=cache_mb)
        connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        return connection


@contextmanager
def exclusively(folder: Path) -> Iterator[None]:
    """One process at a time makes or changes files."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "making.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Watch:
    """Tells whether another connection has changed files, at a few microseconds a look.

    `mark` before reading, `changed` after: what is committed in between is never missed.
    """

    def __init__(self, *connections: Connection) -> None:
        self._connections = connections
        self._seen: list[object] = [None] * len(connections)

    def _versions(self) -> list[object]:
        return [connection.execute("PRAGMA data_version").get for connection in self._connections]

    def mark(self) -> None:
        """Remember the files as they are now."""
        self._seen = self._versions()

    def changed(self) -> bool:
        """Whether any file was changed since the last mark."""
        return self._versions() != self._seen

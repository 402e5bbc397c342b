"""Where the engines' files lie, and as whom the engines run.

Root's own folders may be closed to others, and Elasticsearch refuses to run as root: for root the
engines run as an unprivileged user, and every file lies where that user gets to.
"""

import fcntl
import hashlib
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from operations.engines.errors import EnginesError

Say = Callable[[str], None]

NOBODY = "nobody"
_NOBODY_IDS = (65534, 65534)
ROOT_CACHE = Path("/var/cache/weir/engines")
ROOT_STATE = Path("/var/lib/weir/engines")


@dataclass(frozen=True)
class Account:
    """An unprivileged user and its group."""

    user: int
    group: int


def engines_account() -> Account | None:
    """As whom the engines run when root starts them; None: as whoever starts them."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NOBODY)
    except KeyError:
        return Account(*_NOBODY_IDS)
    return Account(entry.pw_uid, entry.pw_gid)


def cache_folder(environment: Mapping[str, str], account: Account | None) -> Path:
    """Where fetched servers lie, for every checkout of this user."""
    named = environment.get("XDG_CACHE_HOME")
    base = Path(named) if named else Path(environment.get("HOME") or "/") / ".cache"
    if account is None or (named and is_open(base)):
        return base / "weir" / "engines"
    return ROOT_CACHE


def state_folder(data_dir: Path, account: Account | None) -> Path:
    """Where the data of the engines lie that belong to this data folder."""
    if account is None:
        return data_dir / "engines"
    return ROOT_STATE / hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]


def is_open(path: Path) -> bool:
    """Whether everyone may walk through every folder on the way that exists already."""
    return all(
        folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.exists()
    )


def make_folder(path: Path, account: Account | None = None) -> Path:
    """The folder, open to readers, owned by the account. Raises EnginesError where none can be."""
    try:
        for folder in (*reversed(path.parents), path):
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                folder.chmod(0o755)
        if account is not None:
            os.chown(path, account.user, account.group)
    except OSError as exc:
        raise EnginesError(f"no folder can be at {path}: {exc.strerror}") from exc
    return path


@contextmanager
def locked(path: Path, on_wait: str, say: Say) -> Iterator[int]:
    """The lock's descriptor, while this process alone holds it; `on_wait` is said when another one
    does. A child that inherits the descriptor goes on holding the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as exc:
        raise EnginesError(f"{path} cannot be written: {exc.strerror}") from exc
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(on_wait)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)

"""How members know that another is gone, without comparing clocks between processes.

Two signs: a lock on a file that the kernel frees when the process dies, and a counter of beats that
every other
member watches against its own monotonic clock, for a process that is stopped, not dead.
"""

import fcntl
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from feed.clock import Clock


def new_member_id() -> str:
    """Unique for good: a member that was expelled comes back as another one."""
    return f"{os.getpid()}-{secrets.token_hex(6)}"


class MemberLock:
    """Held from before a member joins until after it left."""

    def __init__(self, folder: Path, member: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{member}.lock"
        self._handle: int | None = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Idempotent."""
        if self._handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None


def is_dead(folder: Path, member: str) -> bool:
    """Whether the member's process is gone for sure. False where nothing can be said: the beats
    decide then."""
    path = folder / f"{member}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def forget_locks(folder: Path, members: Iterable[str]) -> None:
    """Remove the lock files that dead members left behind."""
    for member in members:
        if is_dead(folder, member):
            (folder / f"{member}.lock").unlink(missing_ok=True)


class Observer:
    """Beats of others as this process sees them."""

    def __init__(self, *, lease_s: float, clock: Clock) -> None:
        self._lease_s = lease_s
        self._monotonic_s = clock.monotonic_s
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked_at = clock.monotonic_s()

    def expired(self, beats: Iterable[tuple[str, int]]) -> dict[str, int]:
        """Members whose beat stood still for the whole lease, and at what count.

        An observer that did not look for half a lease starts anew: it may have been stopped with
        all the others.
        """
        now = self._monotonic_s()
        if now - self._looked_at > self._lease_s / 2:
            self._seen.clear()
        self._looked_at = now
        current: dict[str, tuple[int, float]] = {}
        for member, beat in beats:
            seen = self._seen.get(member)
            current[member] = seen if seen is not None and seen[0] == beat else (beat, now)
        self._seen = current
        return {
            member: beat for member, (beat, since) in current.items() if now - since > self._lease_s
        }

"""Processes by number and time of birth, and the groups they lead: so that nobody is signalled who
merely got an old number."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"
_POLL_S = 0.05
# Fields of /proc/PID/stat after the name, which may hold anything.
_STATE, _GROUP, _BORN = 0, 2, 19


@dataclass(frozen=True)
class Group:
    """A process that leads a group of its own, and all it started. `born`: as `birth` says."""

    leader: int
    born: str

    def is_running(self) -> bool:
        """Whether any process of the group lives. The system gives a number to nobody else while a
        group bears it: a leader born at another time means that ours are all gone."""
        born = birth(self.leader)
        return born == self.born or (born is None and any(_living(self.leader)))

    def terminate(self) -> None:
        """SIGTERM to the leader, which stops what it started."""
        if birth(self.leader) == self.born:
            with suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to every process of the group."""
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """A signal to every process of the group."""
        if self.is_running():
            with suppress(ProcessLookupError):
                os.killpg(self.leader, number)

    def wait(self, limit_s: float) -> bool:
        """Whether all have ended within the limit."""
        deadline = time.monotonic() + limit_s
        while self.is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True


def birth(pid: int) -> str | None:
    """When a living process started, in the system's own measure; None: there is none. A process
    that has ended and was not yet waited for is none."""
    if not _PROC.joinpath("self").exists():
        return _ps(pid)
    fields = _stat(pid)
    if fields is None or fields[_STATE] in "ZX":
        return None
    return f"{_BOOT.read_text().strip()}:{fields[_BORN]}"


def _living(group: int) -> Iterator[int]:
    if not _PROC.joinpath("self").exists():
        yield from _ps_group(group)
        return
    for path in _PROC.iterdir():
        if path.name.isdigit():
            fields = _stat(int(path.name))
            if fields and int(fields[_GROUP]) == group and fields[_STATE] not in "ZX":
                yield int(path.name)


def _stat(pid: int) -> list[str] | None:
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _ps(pid: int) -> str | None:
    """The same where there is no /proc, as on macOS."""
    told = _ask_ps("-p", str(pid), "-o", "stat=,lstart=")
    return None if not told or told.startswith("Z") else told.partition(" ")[2].strip()


def _ps_group(group: int) -> Iterator[int]:
    for line in _ask_ps("-A", "-o", "pid=,pgid=,stat=").splitlines():
        pid, its_group, state = line.split()
        if int(its_group) == group and not state.startswith("Z"):
            yield int(pid)


def _ask_ps(*arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - fixed words and numbers
        ["/bin/ps", *arguments], capture_output=True, text=True, check=False, timeout=10
    ).stdout.strip()

"""Becomes one server, and sees to it that the server does not outlive a starter that was killed.

The starter holds the other end of this process's standard input. A watchdog, forked off before the
server begins, reads it: one byte says that the starter is content and the server may live on; the
end of the file without it means that the starter is gone, and the whole process group is killed.
No moment is left out: whatever is killed, at whichever line, the watchdog or its absence decides.
The lock file that the watchdog keeps open holds the next `up` off until it is through.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from operations.engines.processes import Group, birth

KEEP = b"k"
_END_LIMIT_S = 30.0


@dataclass(frozen=True)
class Orders:
    """What to become. All commands but the last run to their end first; then the last is it."""

    commands: Sequence[Sequence[str]]
    folder: str
    environment: dict[str, str]
    record: str | None = None
    """Where number and birth are written before the first command."""
    log: str | None = None
    account: tuple[int, int] | None = None
    """User and group to become."""
    lock: int | None = None
    """An inherited descriptor of a locked file."""

    def text(self) -> str:
        """As an argument of the command line."""
        return json.dumps(asdict(self))


def main() -> None:
    """Carry out the orders of the first argument."""
    orders = Orders(**json.loads(sys.argv[1]))
    os.umask(0o022)
    _fork_watchdog(orders.lock)
    if orders.record is not None:
        write_whole(
            Path(orders.record), json.dumps({"leader": os.getpid(), "born": birth(os.getpid())})
        )
    if orders.log is not None:
        _redirect(orders.log)
    if orders.account is not None:
        _become(*orders.account)
    os.chdir(orders.folder)
    for command in orders.commands[:-1]:
        done = subprocess.run(command, env=orders.environment, check=False)  # noqa: S603
        if done.returncode:
            sys.exit(done.returncode)
    last = orders.commands[-1]
    os.execvpe(last[0], list(last), orders.environment)  # noqa: S606


def write_whole(path: Path, text: str) -> None:
    """Write a file that readers find whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(text)
    part.replace(path)


def _fork_watchdog(lock: int | None) -> None:
    leader, born = os.getpid(), birth(os.getpid())
    child = os.fork()
    if child == 0:
        # Twice: the server is no parent that would wait for the watchdog's end.
        os.setsid()
        if os.fork() == 0:
            with suppress(BaseException):
                _watch(Group(leader, born or ""))
        os._exit(0)
    os.waitpid(child, 0)
    if lock is not None:
        os.close(lock)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _watch(group: Group) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    if os.read(0, 1) == KEEP:
        return
    deadline = time.monotonic() + _END_LIMIT_S
    while group.is_running() and time.monotonic() < deadline:
        group.kill()
        time.sleep(0.05)


def _redirect(log: str) -> None:
    path = Path(log)
    if path.exists():
        path.replace(path.with_suffix(".old.log"))
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)


def _become(user: int, group: int) -> None:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


if __name__ == "__main__":
    main()

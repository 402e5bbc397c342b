"""One node as a process: started, found again, stopped, killed."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from operations.engines.artifacts import Supplies
from operations.engines.child import KEEP, Orders
from operations.engines.engine import Engine
from operations.engines.errors import EngineDied, EnginesUnknown
from operations.engines.layout import Layout, Place
from operations.engines.processes import Group

_ROOT = Path(__file__).parents[2]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAST_LINES = 200
_KILL_LIMIT_S = 30.0


class Node:
    """One node. Until `keep`, a node that this process started ends when this process does, however
    it does. Used from one thread at a time."""

    def __init__(self, engine: Engine, place: Place, layout: Layout) -> None:
        self.place = place
        self._engine, self._layout = engine, layout
        self._child: subprocess.Popen[bytes] | None = None
        self._record = layout.folder / f"{place.number}.process.json"
        self.log = layout.folder / f"{place.number}.log"

    def start(self, supplies: Supplies, lock: int | None = None) -> None:
        """Start it unless it runs. `lock`: a descriptor of a lock that is to be held until the node
        is kept or gone. Raises EnginesError."""
        if self.is_running():
            return
        self._forget()
        launch = self._engine.launch(self.place, self._layout, supplies)
        account = supplies.account
        orders = Orders(
            commands=launch.commands,
            folder=str(self.place.folder),
            environment={
                "PATH": _PATH,
                "LANG": "C.UTF-8",
                "HOME": str(self.place.folder),
                **launch.environment,
            },
            record=str(self._record),
            log=str(self.log),
            account=(account.user, account.group) if account is not None else None,
            lock=lock,
        )
        self._record.unlink(missing_ok=True)
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "operations.engines.child", orders.text()],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )

    def is_running(self) -> bool:
        """Whether it lives, whoever started it. Raises EnginesUnknown."""
        if self._child is not None and self._child.poll() is None:
            return True
        group = self._group()
        return group is not None and group.is_running()

    def answers(self, member_count: int) -> bool:
        """Whether it lives and does what clients ask. Raises EngineDied with its last words."""
        if not self.is_running():
            raise EngineDied(
                f"{self._engine.title} ended instead of answering ({self._last_words()}): its log "
                f"is {self.log}"
            )
        return self._engine.answers(self.place, member_count)

    def keep(self) -> None:
        """From now on it lives on when this process ends."""
        child, self._child = self._child, None
        if child is not None and child.stdin is not None:
            with suppress(BrokenPipeError):
                os.write(child.stdin.fileno(), KEEP)
            child.stdin.close()
            # Nobody waits for it here any more; the system does when this process is gone.
            child.returncode = 0

    def stop(self) -> bool:
        """End it cleanly; after the engine's limit it is killed. Whether it ended by itself."""
        group = self._group()
        if group is None or not group.is_running():
            self._forget()
            return True
        group.terminate()
        ended = self._wait(group, self._engine.stop_limit_s)
        self.kill()
        return ended

    def kill(self) -> None:
        """SIGKILL to every process of it, and wait for their end."""
        if self._child is not None and self._group() is None:
            # It has not even written who it is: its watchdog ends it.
            self._forget()
            return
        group = self._group()
        if group is not None:
            group.kill()
            self._wait(group, _KILL_LIMIT_S)
        self._forget()

    def signal(self, number: int) -> None:
        """A signal to every process of it, such as SIGSTOP and SIGCONT."""
        group = self._group()
        if group is not None:
            group.signal(number)

    def _wait(self, group: Group, limit_s: float) -> bool:
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(limit_s)
        return group.wait(limit_s)

    def _forget(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.stdin is not None:
            child.stdin.close()
            child.wait(_KILL_LIMIT_S)

    def _group(self) -> Group | None:
        try:
            kept = json.loads(self._record.read_text())
            return Group(int(kept["leader"]), str(kept["born"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise EnginesUnknown(f"{self._record} cannot be read: {exc}") from exc

    def _last_words(self) -> str:
        """The line of its log that says most."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        except OSError:
            return "it wrote no log"
        telling = [line for line in lines if "ERROR" in line or "Exception" in line]
        return (telling or lines or ["its log is empty"])[0].strip()[:300]

"""`manage.py dev` as a real process on a data folder of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.stack import ROOT, free_port, wait_until

READY_LIMIT_S = 150.0
STOP_LIMIT_S = 30.0


@dataclass
class Dev:
    """Use as a context manager: it is killed at the end, which must end its children too."""

    data_dir: Path
    options: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it without waiting."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "dev", "--port", str(self.port), *self.options],
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> "Dev":
        self.start()
        wait_until("dev says where to look", self._is_ready, limit_s=READY_LIMIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"dev ended with {self.process.returncode}:\n{self.log[-4000:]}")
        return "Ctrl-C stops every part" in self.log

    def manage(self, *arguments: str) -> None:
        """Run one more command of its project to its end. Raises CalledProcessError."""
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self._environment(), check=True)  # noqa: S603

    def _environment(self) -> dict[str, str]:
        outer = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WEIR_", "DATABASE_URL", "COVERAGE", "DJANGO_"))
        }
        return outer | {"WEIR_DATA_DIR": str(self.data_dir), "PYTHONUNBUFFERED": "1"}

    @property
    def log_path(self) -> Path:
        """Where its output goes."""
        return self.data_dir / "dev.log"

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return self.log_path.read_text(errors="replace")

    @property
    def url(self) -> str:
        """The web process's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """The admin's password, as printed."""
        return self._printed(r"user admin, password (\S+)")

    @property
    def token(self) -> str:
        """The token, as printed."""
        return self._printed(r"Token +(\S+)")

    @property
    def lines_to_paste(self) -> list[str]:
        """The two lines for a shell."""
        return [line for line in self.log.splitlines() if line.startswith("curl ")]

    def _printed(self, pattern: str) -> str:
        found = re.search(pattern, self.log)
        assert found is not None, self.log
        return found[1]

    def children(self) -> dict[int, str]:
        """Living processes that were started for this data folder by `dev`, by id: their
        commands."""
        found: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue  # ended meanwhile, or another's
            if "operations.dev.child" in command and str(self.data_dir).encode() in environment:
                found[int(entry.name)] = command.partition("operations.dev.child ")[2]
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal; the exit code. Raises TimeoutExpired when it does not end."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=STOP_LIMIT_S)

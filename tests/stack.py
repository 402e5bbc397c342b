"""Real processes of the product on a data folder of their own: start, kill, restart, drain."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT_S = 180.0
STOP_LIMIT_S = 20.0
DRAIN_LIMIT_S = 900.0
COMMANDS: Mapping[str, Sequence[str]] = {
    "web": ("serve", "--host", "127.0.0.1"),
    "sink": ("run_warehouse_sink",),
    "projector": ("run_projector",),
    "replayer": ("run_replayer",),
}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(what: str, condition: Callable[[], bool], *, limit_s: float = START_LIMIT_S) -> None:
    """Wait for a condition, checked every 50 ms. Raises TimeoutError that says what did not
    come."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit_s:g} s: {what}")
        time.sleep(0.05)


@dataclass
class Stack:
    """The pipeline as separate processes. Use as a context manager: it ends every process it
    started."""

    data_dir: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> "Stack":
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.manage("migrate", "--verbosity", "0")
        self.manage("ensure_engines")
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.kill(name)

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a child: nothing of Weir's from outside, this stack's settings."""
        outer = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WEIR_", "DATABASE_URL", "COVERAGE", "DJANGO_"))
        }
        ours = {
            "WEIR_DATA_DIR": str(self.data_dir),
            "WEIR_SECRET_KEY": "stack-" * 10,
            "PYTHONUNBUFFERED": "1",
        }
        return outer | ours | dict(self.settings) | more

    def manage(self, *arguments: str, limit_s: float = 120.0, **more: str) -> str:
        """Run a command of manage.py to its end; its standard output. Raises as `run_python`."""
        return self.run_python("manage.py", *arguments, limit_s=limit_s, **more)

    def run_python(self, *arguments: str, limit_s: float = 120.0, **more: str) -> str:
        """Run a script or module in the environment of a child; its standard output. Raises
        RuntimeError with its errors, TimeoutExpired."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments}: {done.returncode}\n{done.stderr[-4000:]}")
        return done.stdout

    def start(
        self,
        name: str,
        *,
        command: str | None = None,
        crash_point: str = "",
        arguments: Sequence[str] = (),
    ) -> None:
        """Start a process under `name`; its kind is `command`, or the name itself; `arguments` of
        manage.py, if any, instead of the kind's own."""
        kind = command or name
        arguments = list(arguments or COMMANDS[kind])
        if kind == "web" and arguments[0] == "serve":
            arguments += ["--port", str(self.port)]
        with (self.data_dir / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=self.environment(WEIR_CRASH_POINT=crash_point),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if kind == "web" and not crash_point:
            wait_until("the web process answers", self.is_answering)

    def start_all(self) -> None:
        """Web, sink and projector, one of each."""
        for name in ("web", "sink", "projector"):
            self.start(name)

    def is_answering(self) -> bool:
        """Whether the web process takes requests; raises when it has died."""
        died = self.processes["web"].poll()
        if died is not None:
            raise RuntimeError(f"web ended with {died}:\n{self.log('web')[-4000:]}")
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def url(self) -> str:
        """The web process's address."""
        return f"http://127.0.0.1:{self.port}"

    def log(self, name: str) -> str:
        """What the process wrote so far."""
        return (self.data_dir / f"{name}.log").read_text(errors="replace")

    def is_running(self, name: str) -> bool:
        """Whether the process lives."""
        return name in self.processes and self.processes[name].poll() is None

    def kill(self, name: str) -> None:
        """SIGKILL to the process and its children, and wait for its end."""
        process = self.processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=STOP_LIMIT_S)

    def stop(self, name: str) -> int:
        """SIGTERM, and the exit code. Raises TimeoutExpired when it does not end."""
        process = self.processes.pop(name)
        process.terminate()
        return process.wait(timeout=STOP_LIMIT_S)

    def drain(self) -> None:
        """Stop the workers and run each once to the end of the feed: afterwards everything is
        in."""
        for name in [name for name in self.processes if name != "web"]:
            self.kill(name)
        self.manage("run_warehouse_sink", "--once", limit_s=DRAIN_LIMIT_S)
        self.manage("run_projector", "--once", limit_s=DRAIN_LIMIT_S)

    def create_project(self, name: str, *scopes: str) -> "Credentials":
        """A project with a key of scopes ingest and query, and more; a token of all."""
        more = [part for scope in scopes for part in ("--scope", scope)]
        made = json.loads(self.manage("create_project", name, "--json", *more))
        key_file = self.data_dir / f"{name}.pem"
        key_file.write_text(made["private_key"])
        token = self.manage(
            *("mint_token", "--project", name, "--scope", "ingest", "--scope", "query", *more),
            *("--private-key", str(key_file)),
        ).strip()
        return Credentials(name, token, made["write_key"])


@dataclass(frozen=True)
class Credentials:
    """What a client of one project holds."""

    project: str
    token: str
    write_key: str

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a request with the token."""
        return {"Authorization": f"Bearer {self.token}"}

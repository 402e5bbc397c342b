"""A real PostgreSQL for tests: Debian's binaries, on a free port of loopback, in a folder of its
own; gone with the test run however that ends."""

import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest

from tests.stack import free_port, wait_until

ADMIN = "postgres"
STOP_LIMIT_S = 30.0
PR_SET_PDEATHSIG = 1


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL of this machine."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3])
    )
    return found[-1].parent if found else None


@dataclass
class PostgresqlServer:
    """Use as a context manager. Whoever is root runs it as user postgres, since it refuses root."""

    bin_dir: Path
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: f"p@:/?#%{secrets.token_hex(8)}")
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="weir-postgresql-")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def user(self) -> str | None:
        """Whom the server runs as; None for who runs the tests."""
        return ADMIN if os.geteuid() == 0 else None

    def __enter__(self) -> "PostgresqlServer":
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self.user:
            shutil.chown(self.folder, self.user)
            shutil.chown(password_file, self.user)
        subprocess.run(
            [
                *(self.bin_dir / "initdb", "-D", self.folder / "data", "-U", ADMIN),
                *("--auth=scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8", "--locale=C"),
                "--no-sync",
            ],
            user=self.user,
            cwd=self.folder,
            check=True,
            capture_output=True,
            timeout=120,
        )
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(self.bin_dir / "postgres", "-D", self.folder / "data", "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                    *("-c", "fsync=off", "-c", "max_connections=60"),
                ],
                user=self.user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        wait_until("PostgreSQL answers", self._is_answering)

    def stop(self) -> None:
        """The fast way of an operator: every connection is cut."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=STOP_LIMIT_S)
            self.process = None

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"t{uuid4().hex[:16]}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def url(self, name: str) -> str:
        """DATABASE_URL, with its password percent-encoded."""
        password = quote(self.password, safe="")
        return f"postgres://{ADMIN}:{password}@127.0.0.1:{self.port}/{name}"

    def connect(self, name: str = ADMIN) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection that commits each statement."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=ADMIN,
            password=self.password,
            dbname=name,
            autocommit=True,
            connect_timeout=5,
        )

    def _is_answering(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError((self.folder / "log").read_text(errors="replace")[-4000:])
        with suppress(psycopg.OperationalError), self.connect():
            return True
        return False


def _end_with_parent() -> None:
    """In the child: a test run that is killed leaves no server behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """One server for the run; without it the tests are skipped by name, in CI they fail."""
    bin_dir = binaries()
    if bin_dir is None:
        reason = "no PostgreSQL on this machine (apt-get install postgresql): its tests did not run"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with PostgresqlServer(bin_dir) as server:
        yield server

"""`manage.py engines` as a user runs it: real processes, and none left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from operations.engines.places import engines_account, state_folder
from tests.engine_fixtures import tools_or_skip
from tests.stack import ROOT, Stack, free_port, wait_until

NAMES = ("kafka", "cassandra", "elasticsearch")
SETTINGS = ("WEIR_FEED_URL", "WEIR_WAREHOUSE_URL", "WEIR_TIMESERIES_URL")
COMMAND = (sys.executable, "manage.py", "engines")
LIMIT_S = 400.0


@dataclass(frozen=True)
class Engines:
    """The command on a data folder of its own."""

    environment: dict[str, str]
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start it."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def processes(self) -> list[int]:
        """Every living process whose command line names the folder."""
        named = str(self.folder).encode()
        found = []
        for path in Path("/proc").iterdir():
            try:
                if path.name.isdigit() and named in (path / "cmdline").read_bytes():
                    found.append(int(path.name))
            except OSError:
                continue
        return found


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[Engines]:
    """The command; what it leaves is stopped and deleted."""
    with tools_or_skip():
        acquire_all()
    environment = Stack(tmp_path).environment()
    made = Engines(environment, state_folder(tmp_path.resolve(), engines_account()))
    yield made
    made.run("down", "--delete-data")
    shutil.rmtree(made.folder, ignore_errors=True)


def acquire_all() -> None:
    """Raises MissingTool where the machine lacks one."""
    from tests.servers.running import KINDS, supplies

    for kind in KINDS.values():
        kind().acquire(supplies())


def test_up_status_up_again_down_and_nothing_is_left(engines: Engines) -> None:
    ports = [f"--{name}-port={free_port()}" for name in NAMES]

    first = engines.run("up", *ports)
    status = engines.run("status", "--json")
    second = engines.run("up")
    down = engines.run("down")
    after = engines.run("status")

    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert [line.partition("=")[0] for line in lines] == [f"export {name}" for name in SETTINGS]
    assert second.stdout == first.stdout
    assert second.returncode == 0
    assert "starting" not in second.stderr
    assert status.returncode == 0
    assert {each["name"]: each["state"] for each in json.loads(status.stdout)} == dict.fromkeys(
        NAMES, "running"
    )
    assert _evaluated(first.stdout) == [each["url"] for each in json.loads(status.stdout)]
    assert down.returncode == 0, down.stderr
    assert engines.processes() == []
    assert after.returncode == 1
    assert after.stdout.split() == [word for name in NAMES for word in (f"{name}:", "stopped")]


@pytest.mark.faults
def test_three_nodes_of_each_at_once(engines: Engines) -> None:
    """Nine servers, on the ports that are free."""
    up = engines.run("up", "--nodes", "3")
    status = engines.run("status", "--json")
    down = engines.run("down")

    assert up.returncode == 0, up.stderr
    found = json.loads(status.stdout)
    assert {each["name"]: each["state"] for each in found} == dict.fromkeys(NAMES, "running")
    kafka, cassandra, elasticsearch = _evaluated(up.stdout)
    assert [kafka, cassandra, elasticsearch] == [each["url"] for each in found]
    assert kafka.count("127.0.0.") == cassandra.count("127.0.0.") == 3
    assert elasticsearch.count("127.0.0.") == 3
    assert down.returncode == 0, down.stderr
    assert engines.processes() == []


def _evaluated(lines: str) -> list[str]:
    """What a POSIX shell makes of the lines."""
    script = lines + "".join(f'printf "%s\\n" "${name}"\n' for name in SETTINGS)
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_killing_the_starter_leaves_no_process(engines: Engines) -> None:
    starter = engines.start("up")

    def are_coming_up() -> bool:
        return all((engines.folder / f"{name}-1" / "1.process.json").exists() for name in NAMES)

    wait_until("every engine has become a process", are_coming_up)
    assert engines.processes()
    starter.kill()
    starter.wait()

    wait_until("every process has gone", lambda: not engines.processes())
    assert engines.run("status").returncode == 1


def test_ctrl_c_stops_what_was_being_started(engines: Engines) -> None:
    starter = engines.start("up", "--only", "kafka")
    wait_until("kafka is a process", lambda: bool(engines.processes()))

    starter.send_signal(signal.SIGINT)

    assert starter.wait(60) == 1
    wait_until("every process has gone", lambda: not engines.processes())


def test_two_at_once_start_one_broker_and_it_keeps_its_data_and_port(engines: Engines) -> None:
    other = engines.start("up", "--only", "kafka")
    first = engines.run("up", "--only", "kafka")
    assert other.wait(LIMIT_S) == 0
    assert len(engines.processes()) == 1
    (log_id,) = (engines.folder / "kafka-1" / "1" / "data").glob("meta.properties")
    identity = log_id.read_text()
    engines.run("down", "--only", "kafka")

    again = engines.run("up", "--only", "kafka")

    assert again.stdout == first.stdout
    assert log_id.read_text() == identity


def test_a_port_in_use_is_one_sentence_that_names_the_option(engines: Engines) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = engines.run("up", "--only", "kafka", "--kafka-port", str(port))

    assert done.returncode == 1
    assert done.stdout == ""
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "--kafka-port" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_that_cannot_be_told_is_2(engines: Engines) -> None:
    folder = engines.folder / "kafka-1"
    folder.mkdir(parents=True)
    (folder / "layout.json").write_text("{")

    done = engines.run("status")
    (folder / "layout.json").unlink()

    assert done.returncode == 2
    assert "layout.json" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
def test_as_root_engines_run_as_somebody_else(engines: Engines) -> None:
    starter = engines.start("up", "--only", "elasticsearch")
    wait_until("elasticsearch is a process", lambda: bool(_owners(engines) - {0}))
    owners = _owners(engines)
    starter.kill()
    starter.wait()

    assert 0 not in owners


def _owners(engines: Engines) -> set[int]:
    """Users of the server's processes, without those that carry out orders."""
    found = set()
    for pid in engines.processes():
        try:
            path = Path("/proc") / str(pid)
            if b"operations.engines.child" not in (path / "cmdline").read_bytes():
                found.add(path.stat().st_uid)
        except OSError:
            continue
    return found

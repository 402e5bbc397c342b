"""`manage.py dev` as a user meets it: what it prints works, and it stops and restarts cleanly."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from operations.sockets import bind
from tests.dev_stack import Dev
from tests.stack import ROOT, wait_until

pytestmark = pytest.mark.e2e
STOP_S = 10.0


def paste(line: str) -> str:
    """The line in a POSIX shell; what it prints."""
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_both_printed_lines_work_and_ctrl_c_stops_every_part(tmp_path: Path) -> None:
    with Dev(tmp_path, ["--no-demo-traffic"]) as dev:
        send, read_back = dev.lines_to_paste
        for times in (1, 2):
            assert json.loads(paste(send))["ack"] == "projected"
            assert json.loads(paste(read_back))["series"][0]["total"] == [times]
        password = dev.password
        assert sorted(command.split()[0] for command in dev.children().values()) == [
            "run_projector",
            "run_replayer",
            "run_warehouse_sink",
            "serve",
        ]
        assert (tmp_path / "keys" / "demo.pem").stat().st_mode & 0o777 == 0o600

        started_s = time.monotonic()
        assert dev.stop(signal.SIGINT) == 0
        # Generous, for a busy machine: each part is killed at 9 s, so that none can take longer.
        assert time.monotonic() - started_s < STOP_S + 5
        assert dev.children() == {}
        assert "killed" not in dev.log

    with Dev(tmp_path, ["--no-demo-traffic"]) as again:
        assert again.password == password
        assert json.loads(paste(again.lines_to_paste[1]))["series"][0]["total"] == [2]


def test_a_crashed_part_is_started_again_and_kill_9_of_dev_ends_all(tmp_path: Path) -> None:
    with Dev(tmp_path, ["--no-demo-traffic"]) as dev:
        (projector,) = [pid for pid, name in dev.children().items() if "run_projector" in name]
        os.kill(projector, signal.SIGKILL)
        wait_until(
            "another projector runs",
            lambda: any(
                "run_projector" in name for pid, name in dev.children().items() if pid != projector
            ),
        )
        assert "projector ended with signal 9: it starts again" in dev.log
        assert json.loads(paste(dev.lines_to_paste[0]))["ack"] == "projected"

        assert dev.stop(signal.SIGKILL) == -signal.SIGKILL
        wait_until("no part is left", lambda: dev.children() == {})


def test_a_port_in_use_is_one_sentence_and_makes_nothing(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        dev = Dev(tmp_path / "var", port=taken.getsockname()[1])
        dev.start()
        assert dev.process is not None
        assert dev.process.wait(timeout=60) == 1

    (sentence,) = dev.log.splitlines()
    assert f"port {dev.port} of 127.0.0.1 is in use" in sentence
    assert not (tmp_path / "var" / "dev.json").exists()


@pytest.mark.parametrize(
    ("settings", "arguments", "sentence"),
    [
        ({"WEIR_SECRET_KEY": ""}, ["serve"], "WEIR_SECRET_KEY is not set"),
        ({"WEIR_FED_URL": "x"}, ["serve"], "WEIR_FED_URL is not a setting of Weir"),
        ({"WEIR_FEED_URL": "embedded:?partitions=none"}, ["serve"], "partitions"),
        ({}, ["serve", "--port", "99999"], "cannot listen at 127.0.0.1 port 99999"),
        ({}, ["serve", "--workers", "0"], "--workers counts from 1"),
    ],
)
def test_a_wrong_start_is_one_sentence(
    tmp_path: Path, settings: dict[str, str], arguments: list[str], sentence: str
) -> None:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    environment = outer | {"WEIR_DATA_DIR": str(tmp_path), "WEIR_SECRET_KEY": "s" * 50} | settings
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

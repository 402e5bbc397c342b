"""An engine that is down at the start: said once in plain words, and everything goes on by itself
when it is there. A gate takes the real server away."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.engine_names import (
    CASSANDRA,
    ELASTICSEARCH,
    KAFKA,
    SETTINGS,
    address_of,
    own_settings,
    url_of,
)
from tests.gate import Gate
from tests.stack import ROOT, Credentials, Stack, free_port, wait_until

pytestmark = pytest.mark.e2e
READYZ_NAME = {KAFKA: "feed", CASSANDRA: "warehouse", ELASTICSEARCH: "timeseries"}
WAITS = {KAFKA: ("sink", "projector"), CASSANDRA: ("sink",), ELASTICSEARCH: ("projector",)}
ENGINES = sorted(SETTINGS)
GOES_ON_LIMIT_S = 120.0


@contextmanager
def gated(
    request: pytest.FixtureRequest, engine: str, folder: Path
) -> Iterator[tuple[Stack, Gate]]:
    """A stack whose one real engine is behind a gate, open until everything is made."""
    server = address_of(request.getfixturevalue(f"{engine}_url"))
    with (
        Gate(server) as gate,
        own_settings(request, [engine], **{engine: gate.address}) as settings,
    ):
        gate.open()
        with Stack(folder, settings=settings) as stack:
            yield stack, gate


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_is_down_at_the_start_is_waited_for(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    with gated(request, engine, tmp_path) as (stack, gate):
        credentials = stack.create_project("shop")
        gate.close()
        stack.start_all()
        wait_until("readyz names it", lambda: READYZ_NAME[engine] in unwell(stack))
        sent = post(stack, credentials, "early", "logged")
        if engine == KAFKA:
            assert sent.status_code == 503, sent.text
            assert int(sent.headers["Retry-After"]) >= 1
        else:
            assert sent.status_code == 200, sent.text
        for name in WAITS[engine]:
            wait_until(f"{name} waits", lambda name=name: "waiting" in stack.log(name))  # type: ignore[misc]
        assert all(stack.is_running(name) for name in stack.processes)

        gate.open()
        wait_until("it is ready", lambda: unwell(stack) == {}, limit_s=GOES_ON_LIMIT_S)
        wait_until(
            "an event goes all the way",
            lambda: is_projected(stack, credentials),
            limit_s=GOES_ON_LIMIT_S,
        )
        for name in WAITS[engine]:
            assert stack.log(name).count(": waiting") == 1, stack.log(name)
            assert "going on" in stack.log(name)
        for name in ("web", "sink", "projector"):
            assert "Traceback" not in stack.log(name)
            assert stack.stop(name) == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("command", ["ensure_engines", "dev"])
def test_what_makes_the_engines_says_in_one_sentence_that_one_is_down(
    tmp_path: Path, engine: str, command: str
) -> None:
    url = url_of(engine, f"127.0.0.1:{free_port()}", "nowhere").replace("//", "//u:s3cret@", 1)
    if engine == KAFKA:
        url = url.replace("u:s3cret@", "")
    done = run_command(tmp_path, {SETTINGS[engine]: url}, "migrate", "--verbosity=0")
    assert done.returncode == 0, done.stderr

    done = run_command(tmp_path, {SETTINGS[engine]: url}, *arguments_of(command))

    assert done.returncode == 1
    assert f"the engine of {SETTINGS[engine]} cannot be used" in done.stderr
    assert "make engines-up" in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if "Error:" in line]
    assert sentence.startswith("CommandError: the engine of")
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


def test_without_its_feed_the_pipelines_status_is_unknown(tmp_path: Path) -> None:
    settings = {"WEIR_FEED_URL": f"kafka://127.0.0.1:{free_port()}"}
    run_command(tmp_path, settings, "migrate", "--verbosity=0")

    done = run_command(tmp_path, settings, "pipeline_status")

    assert done.returncode == 2
    assert "pipeline: unknown" in done.stdout
    assert "Traceback" not in done.stderr


def arguments_of(command: str) -> list[str]:
    return [command, "--port", str(free_port())] if command == "dev" else [command]


def run_command(
    data_dir: Path, settings: Mapping[str, str], *arguments: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=Stack(data_dir, settings=settings).environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def post(stack: Stack, credentials: Credentials, event: str, ack: str) -> httpx.Response:
    return httpx.post(
        f"{stack.url}/v1/events?ack={ack}&wait=5",
        headers=credentials.headers,
        json={"event": event},
        timeout=60,
    )


def is_projected(stack: Stack, credentials: Credentials) -> bool:
    answer = post(stack, credentials, "late", "projected")
    return answer.status_code == 200 and answer.json()["ack"] == "projected"


def unwell(stack: Stack) -> dict[str, str]:
    """Engines that readyz finds unwell, and why."""
    engines = httpx.get(f"{stack.url}/readyz", timeout=20).json()["engines"]
    return {name: said["detail"] for name, said in engines.items() if said["status"] != "ok"}

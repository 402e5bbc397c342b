"""`serve` and `runserver` as real processes: what they answer, how they stop, what they log."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.stack import ROOT, Stack, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("serve")) as stack:
        yield stack


@pytest.fixture
def stack(made: Stack) -> Iterator[Stack]:
    """Nothing runs yet."""
    made.settings = {}
    yield made
    for name in list(made.processes):
        made.kill(name)


def status_of(stack: Stack) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "pipeline_status", "--json"],
        cwd=ROOT,
        env=stack.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_open_requests_finish_before_the_process_ends(stack: Stack) -> None:
    credentials = stack.create_project("serve")
    stack.start("web")
    answers: list[httpx.Response] = []

    def send() -> None:
        # Nobody projects: the answer would wait for its whole time limit, past any stop.
        answer = httpx.post(
            f"{stack.url}/v1/events?ack=projected&wait=25",
            headers=credentials.headers,
            json={"event": "last"},
            timeout=60,
        )
        answers.append(answer)

    sender = threading.Thread(target=send)
    sender.start()
    wait_until("the event is logged", lambda: '"end": 1' in status_of(stack).stdout)

    exit_code = stack.stop("web")

    sender.join()
    assert exit_code == 0
    assert answers[0].status_code == 200
    assert answers[0].json()["ack"] == "logged"
    assert status_of(stack).returncode == 1  # nobody reads: bad, and said so


def test_several_workers_share_a_port_and_end_together(stack: Stack) -> None:
    stack.settings = {"WEIR_SERVE": "query"}
    stack.start("web", arguments=("serve", "--workers", "2"))

    answers = {
        path: httpx.post(f"{stack.url}{path}", json={}).status_code
        for path in ("/v1/events", "/v1/query/total", "/admin/")
    }

    assert answers == {"/v1/events": 404, "/v1/query/total": 401, "/admin/": 404}
    assert httpx.get(f"{stack.url}/readyz").json()["serve"] == ["query"]
    assert stack.stop("web") == 0
    wait_until("nobody listens", lambda: not is_listening(stack.url))


def is_listening(url: str) -> bool:
    try:
        httpx.get(f"{url}/healthz", timeout=2)
    except httpx.TransportError:
        return False
    return True


def test_neither_tokens_nor_query_strings_are_logged(stack: Stack) -> None:
    stack.start("web")

    for path in ("/v1/query/total", "/v1/nothing", "/admin/nothing", "/v1/lag", "/docs/errors/x"):
        httpx.get(f"{stack.url}{path}?access_token=s3cret", headers={"Authorization": "Bearer t0p"})
    assert "server" not in httpx.get(f"{stack.url}/healthz").headers

    assert stack.stop("web") == 0
    assert "s3cret" not in stack.log("web")
    assert "t0p" not in stack.log("web")


def test_runserver_speaks_asgi_too(stack: Stack) -> None:
    credentials = stack.create_project("smoke")
    stack.start("web", arguments=("runserver", "--noreload", f"127.0.0.1:{stack.port}"))

    said = httpx.get(f"{stack.url}/v1/whoami", headers=credentials.headers)

    assert said.json()["project"] == "smoke"

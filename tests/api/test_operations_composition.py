"""The whole application as the server sees it: what is mounted where, and what is not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from channels.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.test.utils import override_settings

from access.claims import Scope
from access.http import AsgiApp
from analyticsproject import health
from analyticsproject.composition import build_application
from analyticsproject.health import Finding, Prober
from tests.key_builders import ProjectKeys

LIMIT_S = 20


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def ask(
    application: AsgiApp,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    names = {"host": "localhost"} | dict(headers or {})
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (name.lower().encode(), value.encode("latin-1")) for name, value in names.items()
        ],
    }
    server = ApplicationCommunicator(application, scope)
    await server.send_input({"type": "http.request", "body": b""})
    start = await server.receive_output(LIMIT_S)
    body, more = b"", True
    while more:
        part = await server.receive_output(LIMIT_S)
        body, more = body + part.get("body", b""), part.get("more_body", False)
    await server.wait(LIMIT_S)
    sent = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], sent, body)


def application_of(*served: str) -> AsgiApp:
    with override_settings(SERVE=served):
        return build_application(get_asgi_application())  # type: ignore[arg-type]


@pytest.fixture
def whole() -> AsgiApp:
    return application_of("ingest", "query", "admin")


async def test_healthz_touches_no_engine(whole: AsgiApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AssertionError("an engine was asked")

    monkeypatch.setattr(health, "_prober", Prober({"feed": fail}))

    answer = await ask(whole, "/healthz")

    assert (answer.status, answer.json) == (200, {"status": "ok"})


async def test_readyz_names_each_engine(whole: AsgiApp, monkeypatch: pytest.MonkeyPatch) -> None:
    prober = Prober({})
    prober._found = (
        float("inf"),
        {"feed": Finding("the log is down", 5), "warehouse": Finding("gone", 7)},
    )
    monkeypatch.setattr(health, "_prober", prober)

    answer = await ask(whole, "/readyz")

    assert answer.status == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json["engines"] == {
        "feed": {
            "status": "unavailable",
            "needed": True,
            "took_ms": 5,
            "detail": "the log is down",
        },
        "warehouse": {"status": "degraded", "needed": False, "took_ms": 7, "detail": "gone"},
    }


@pytest.mark.parametrize(
    ("served", "path", "method"),
    [
        (("query", "admin"), "/v1/events", "POST"),
        (("query", "admin"), "/v1/limits", "GET"),
        (("ingest", "admin"), "/v1/query/series", "GET"),
        (("ingest", "admin"), "/v1/meta/events", "GET"),
        (("ingest", "query", "admin"), "/v1/no/such/thing", "GET"),
        (("ingest", "query", "admin"), "/v1/", "DELETE"),
        (("ingest", "query", "admin"), "/v1", "POST"),
    ],
)
async def test_what_is_not_served_is_a_404_problem(
    served: tuple[str, ...], path: str, method: str
) -> None:
    answer = await ask(application_of(*served), path, method=method)

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["code"] == "not_found"
    assert answer.json["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_the_openapi_document_is_for_reading_alone(whole: AsgiApp, method: str) -> None:
    answer = await ask(whole, "/v1/openapi.json", method=method)

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["code"] == "method_not_allowed"


async def test_an_unknown_host_is_a_400_problem_below_v1(whole: AsgiApp) -> None:
    answer = await ask(whole, "/v1/lag/", headers={"host": "evil.example"})

    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_page_is_a_plain_404(whole: AsgiApp) -> None:
    answer = await ask(whole, "/no/such/page")

    assert answer.status == 404
    assert b"there is nothing at this address" in answer.body


async def test_pages_carry_a_strict_policy(whole: AsgiApp) -> None:
    answer = await ask(whole, "/docs/errors/not_found")

    policy = answer.headers["content-security-policy"]
    assert answer.status == 200
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert b"<script>" not in answer.body


async def test_static_files_are_served_with_an_etag(whole: AsgiApp) -> None:
    first = await ask(whole, "/static/weir/chart.js")

    again = await ask(
        whole, "/static/weir/chart.js", headers={"if-none-match": first.headers["etag"]}
    )

    assert first.status == 200
    assert first.headers["content-type"].startswith("text/javascript")
    assert b"LineChart" in first.body
    assert (again.status, again.body) == (304, b"")


async def test_static_files_answer_ranges_and_heads(whole: AsgiApp) -> None:
    part = await ask(whole, "/static/weir/icon.svg", headers={"range": "bytes=0-3"})
    head = await ask(whole, "/static/weir/icon.svg", method="HEAD")

    assert (part.status, part.body) == (206, b"<svg")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize("path", ["/static/", "/static/../manage.py", "/static/nothing.js"])
async def test_what_is_no_static_file_is_404(whole: AsgiApp, path: str) -> None:
    assert (await ask(whole, path)).status == 404


async def test_metrics_need_the_scope_operate(whole: AsgiApp, demo_keys: ProjectKeys) -> None:
    without = await ask(whole, "/metrics")
    query = await ask(whole, "/metrics", headers=demo_keys.bearer(Scope.QUERY))

    assert (without.status, query.status) == (401, 403)
    assert query.json["code"] == "missing_scope"


async def test_an_unrouted_socket_is_refused(whole: AsgiApp) -> None:
    socket = ApplicationCommunicator(whole, {"type": "websocket", "path": "/v1/ws/nothing"})
    await socket.send_input({"type": "websocket.connect"})

    assert (await socket.receive_output(LIMIT_S))["type"] == "websocket.close"

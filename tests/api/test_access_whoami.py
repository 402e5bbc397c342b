"""`GET /v1/whoami` through the real routes."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from channels.routing import URLRouter
from channels.testing import ApplicationCommunicator

import access.routing
from access.claims import Scope
from access.openapi import fragment
from tests.key_builders import ProjectKeys

pytestmark = pytest.mark.usefixtures("demo_keys")


async def ask(
    headers: dict[str, str] | None = None, *, method: str = "GET", query: str = ""
) -> tuple[int, dict[str, str], Any]:
    scope = {
        "type": "http",
        "method": method,
        "path": "/v1/whoami",
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in (headers or {}).items()
        ],
    }
    server = ApplicationCommunicator(URLRouter(access.routing.http_routes()), scope)
    await server.send_input({"type": "http.request", "body": b""})
    start = await server.receive_output(5)
    body = (await server.receive_output(5))["body"]
    sent = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], sent, json.loads(body) if body else None


async def test_a_token_is_described(demo_keys: ProjectKeys) -> None:
    status, headers, said = await ask(demo_keys.bearer(Scope.QUERY))
    expires_at = datetime.fromisoformat(said.pop("expires_at"))
    assert status == 200
    assert said == {
        "project": "demo",
        "subject": "test",
        "credential": "token",
        "scopes": ["query"],
        "kid": demo_keys.pair.public.kid,
    }
    assert expires_at.tzinfo is not None
    assert headers["cache-control"] == "no-store"


async def test_a_write_key_is_described_and_does_not_expire(demo_keys: ProjectKeys) -> None:
    status, _, said = await ask({"X-Write-Key": demo_keys.write_key})
    assert status == 200
    assert said["credential"] == "write_key"
    assert said["scopes"] == ["ingest"]
    assert said["expires_at"] is None
    assert said["kid"] is None


async def test_no_credential_is_a_problem_document() -> None:
    status, headers, said = await ask()
    assert (status, said["code"]) == (401, "unauthorized")
    assert headers["content-type"] == "application/problem+json"
    assert headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_a_foreign_token_says_what_is_wrong() -> None:
    status, headers, said = await ask(ProjectKeys().bearer())
    assert (status, said["code"]) == (401, "invalid_token")
    assert said["detail"].startswith("unknown key")
    assert 'error="invalid_token"' in headers["www-authenticate"]


async def test_pages_of_the_projects_list_may_ask(demo_keys: ProjectKeys) -> None:
    origin = {"Origin": "https://shop.example"}
    status, headers, _ = await ask(demo_keys.bearer() | origin)
    assert (status, headers["access-control-allow-origin"]) == (200, "https://shop.example")

    status, headers, said = await ask(origin, method="OPTIONS")
    assert (status, said) == (204, None)
    assert headers["access-control-max-age"] == "7200"

    status, headers, said = await ask({"Origin": "https://evil.example"}, method="OPTIONS")
    assert (status, said["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in headers


async def test_head_has_no_body_and_post_is_not_served(demo_keys: ProjectKeys) -> None:
    status, _, said = await ask(demo_keys.bearer(), method="HEAD")
    assert (status, said) == (200, None)
    status, headers, said = await ask(demo_keys.bearer(), method="POST")
    assert (status, said["code"]) == (405, "method_not_allowed")
    assert "OPTIONS" in headers["allow"]


async def test_the_answer_is_what_the_document_describes(demo_keys: ProjectKeys) -> None:
    _, _, said = await ask(demo_keys.bearer())
    schemas = fragment()["components"]["schemas"]
    assert set(said) == set(schemas["Whoami"]["properties"])
    _, _, problem = await ask()
    assert set(schemas["Problem"]["required"]) == set(problem)


def references_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references_in(inner)


def test_every_reference_of_the_document_is_there() -> None:
    document = fragment()
    names = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references_in(document)) <= names

"""Django REST framework's views get the same Claims and give the same problem documents."""

import json
from typing import Any

import pytest
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from django.http import Http404, HttpRequest
from django.test import RequestFactory
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from access.claims import Scope
from access.drf import TokenView, claims_of
from tests.key_builders import ProjectKeys


class Lag(TokenView):
    """A view as operations has them."""

    required_scope = Scope.QUERY
    failure: Exception | None = None

    def get(self, request: Request) -> Response:
        if self.failure is not None:
            raise self.failure
        return Response({"project": claims_of(request).project})

    def post(self, request: Request) -> Response:
        return Response(request.data)


def ask(headers: dict[str, str], *, failure: Exception | None = None) -> tuple[int, Any, Any]:
    return answer(RequestFactory().get("/v1/lag", headers=headers), failure=failure)


def answer(request: HttpRequest, *, failure: Exception | None = None) -> tuple[int, Any, Any]:
    response = Lag.as_view(failure=failure)(request)
    if isinstance(response, Response):
        response.render() if hasattr(response, "accepted_renderer") else None
    return response.status_code, json.loads(response.content), response.headers


def test_a_token_opens_the_view(demo_keys: ProjectKeys) -> None:
    assert ask(demo_keys.bearer())[:2] == (200, {"project": "demo"})


def test_without_a_token_the_answer_is_the_problem_of_every_door(demo_keys: ProjectKeys) -> None:
    status, document, headers = ask({})
    assert (status, document["code"]) == (401, "unauthorized")
    assert headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert headers["Content-Type"] == "application/problem+json"


def test_scopes_are_asked_for(demo_keys: ProjectKeys) -> None:
    status, document, headers = ask(demo_keys.bearer(Scope.INGEST))
    assert (status, document["code"]) == (403, "missing_scope")
    assert "insufficient_scope" in headers["WWW-Authenticate"]


def test_a_write_key_or_a_token_in_the_address_opens_no_view(demo_keys: ProjectKeys) -> None:
    assert ask({"X-Write-Key": demo_keys.write_key})[1]["code"] == "missing_scope"
    token = demo_keys.token(Scope.QUERY)
    request = RequestFactory().get(f"/v1/lag?access_token={token}&k={demo_keys.write_key}")
    assert answer(request)[0] == 401


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Http404(), 404, "not_found"),
        (exceptions.NotFound(), 404, "not_found"),
        (exceptions.PermissionDenied(), 403, "missing_scope"),
        (exceptions.MethodNotAllowed("GET"), 405, "method_not_allowed"),
        (exceptions.UnsupportedMediaType("x/y"), 415, "unsupported_media_type"),
        (exceptions.ParseError(), 400, "invalid_json"),
    ],
)
def test_failures_of_views_become_problems(
    demo_keys: ProjectKeys, failure: Exception, status: int, code: str
) -> None:
    found, document, _ = ask(demo_keys.bearer(), failure=failure)
    assert (found, document["code"], document["status"]) == (status, code, status)


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_a_database_that_does_not_answer_is_no_bug_of_ours(
    demo_keys: ProjectKeys, kind: type[Exception]
) -> None:
    gone = kind("could not connect to server")
    status, document, headers = ask(demo_keys.bearer(), failure=gone)
    assert (status, document["code"], headers["Retry-After"]) == (503, "store_unavailable", "1")
    assert "server" not in document["detail"]


@pytest.mark.parametrize("bug", [ZeroDivisionError, DataError, IntegrityError, ProgrammingError])
def test_a_bug_stays_a_bug(demo_keys: ProjectKeys, bug: type[Exception]) -> None:
    with pytest.raises(bug):
        ask(demo_keys.bearer(), failure=bug("a column does not hold it"))


def test_a_body_that_nests_without_end_is_unreadable(demo_keys: ProjectKeys) -> None:
    request = RequestFactory().post(
        "/v1/lag",
        data="[" * 100_000,
        content_type="application/json",
        headers=demo_keys.bearer(),
    )
    assert answer(request)[:2][1]["code"] == "invalid_json"


def test_an_unreadable_body_is_a_problem(demo_keys: ProjectKeys) -> None:
    request = RequestFactory().post(
        "/v1/lag", data="{", content_type="application/json", headers=demo_keys.bearer()
    )
    assert answer(request)[:2][1]["code"] == "invalid_json"

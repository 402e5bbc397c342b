"""The same Claims for Django REST framework's views: bearer tokens alone, problem documents as
everywhere."""

from typing import Any
from uuid import uuid4

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from access.authentication import get_authenticator
from access.claims import Claims, Scope
from access.http import problem_reply
from access.problems import Code, Problem
from access.refusals import missing_scope, no_credential


class TokenAuthentication(BaseAuthentication):
    """`request.auth` is the Claims; there is no Django user behind a token."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Claims]:
        """Raises Problem 401, 403 scope_not_granted, 503."""
        return AnonymousUser(), get_authenticator().authenticate(_Headers(request), scope=None)


class HasScope(BasePermission):
    """Asks for the view's `required_scope`, or for its `also_scope`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raises Problem 403 missing_scope."""
        scope: Scope = view.required_scope  # type: ignore[attr-defined]  # DRF's way: by duck
        also: Scope | None = view.also_scope  # type: ignore[attr-defined]  # as above
        claims = claims_of(request)
        if not claims.may(scope) and not (also is not None and claims.may(also)):
            raise missing_scope(scope)
        return True


class JsonParser(JSONParser):
    """JSON alone."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:  # Any: DRF's own types
        """Raises ParseError also for what nests without end."""
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as exc:
            raise exceptions.ParseError("JSON parse error - it nests too deep") from exc


class TokenView(APIView):
    """A view that tokens open: set `required_scope`; errors are problem documents."""

    parser_classes = (JsonParser,)
    authentication_classes = (TokenAuthentication,)
    permission_classes = (HasScope,)
    required_scope: Scope
    also_scope: Scope | None = None
    """Opens it as well."""

    def handle_exception(self, exc: Exception) -> Any:  # Any: a plain HttpResponse will do
        """The problem document; what is not foreseen goes on as a bug."""
        problem = as_problem(exc)
        if problem is None:
            return super().handle_exception(exc)
        request_id = uuid4().hex
        reply = problem_reply(problem, request_id)
        return HttpResponse(
            reply.body,
            status=reply.status,
            content_type=reply.content_type,
            headers={**reply.headers, "X-Request-Id": request_id},
        )


def claims_of(request: Request) -> Claims:
    """What the request's token proved. Raises Problem 401 when there was none."""
    if not isinstance(request.auth, Claims):
        raise no_credential()
    return request.auth


def as_problem(exc: Exception) -> Problem | None:
    """The problem that an exception of a view stands for, or None for a bug."""
    match exc:
        case Problem():
            return exc
        case Http404() | exceptions.NotFound():
            return Problem(404, Code.NOT_FOUND, "there is no such thing in your project")
        case PermissionDenied() | exceptions.PermissionDenied():
            return Problem(403, Code.MISSING_SCOPE, "the credential does not open this")
        case exceptions.MethodNotAllowed():
            return Problem(405, Code.METHOD_NOT_ALLOWED, str(exc.detail))
        case exceptions.UnsupportedMediaType():
            return Problem(415, Code.UNSUPPORTED_MEDIA_TYPE, str(exc.detail))
        case exceptions.ParseError():
            return Problem(400, Code.INVALID_JSON, str(exc.detail))
        case OperationalError() | InterfaceError():  # any other is a bug, and is logged as one
            detail = "the database does not answer: try again"
            return Problem(503, Code.STORE_UNAVAILABLE, detail, headers={"Retry-After": "1"})
        case _:
            return None


class _Headers:
    """A Django request as authentication reads it."""

    query_string = b""  # no token in addresses here

    def __init__(self, request: Request) -> None:
        self.method = request.method or ""
        self._headers = request.headers

    def header(self, name: str) -> str | None:
        return self._headers.get(name)

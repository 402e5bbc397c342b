"""What Django answers when no view does: a problem document below /v1, a plain page elsewhere."""

from collections.abc import Sequence
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from access.http import problem_reply
from access.problems import Code, Problem

_SAID = {
    400: (Code.INVALID_QUERY, "Bad request", "the request is not one that Weir can read"),
    403: (Code.MISSING_SCOPE, "Not allowed", "you may not do this: sign in anew, then try again"),
    404: (Code.NOT_FOUND, "Not found", "there is nothing at this address"),
    500: (Code.INTERNAL_ERROR, "Our fault", "a fault of ours, logged: try again"),
}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, for example an unknown host name."""
    return _answer(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403."""
    return _answer(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404."""
    return _answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500; the traceback is in the log alone."""
    return _answer(request, 500)


def method_not_allowed(request: HttpRequest, allowed: Sequence[str]) -> HttpResponse:
    """405 of a view below /v1."""
    detail = f"{request.method} is not served here: use {' or '.join(allowed)}"
    headers = {"Allow": ", ".join(allowed)}
    return _document(Problem(405, Code.METHOD_NOT_ALLOWED, detail, headers=headers))


def _answer(request: HttpRequest, status: int) -> HttpResponse:
    code, title, detail = _SAID[status]
    if request.path == "/v1" or request.path.startswith("/v1/"):
        return _document(Problem(status, code, detail))
    # Without the request: context processors may be what failed.
    page = render_to_string("error.html", {"title": title, "detail": detail})
    return HttpResponse(page, status=status)


def _document(problem: Problem) -> HttpResponse:
    request_id = uuid4().hex
    reply = problem_reply(problem, request_id)
    return HttpResponse(
        reply.body,
        status=reply.status,
        content_type=reply.content_type,
        headers={**reply.headers, "X-Request-Id": request_id},
    )

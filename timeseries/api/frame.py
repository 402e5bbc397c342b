"""What every query door does first and last: who asks, and which problem a refusal becomes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError

from access import refusals
from access.authentication import get_authenticator
from access.claims import Claims, Scope
from access.http import Request
from access.problems import Code, FieldError, Problem
from timeseries.domain import EVERYTHING, Filter
from timeseries.errors import (
    QueryRefused,
    QueryTimeout,
    RecordsUnavailable,
    SeriesBackpressure,
)
from timeseries.filters import parse_filter
from timeseries.parsing import Asker
from timeseries.short_form import UnreadableQuery

_STATUSES = {Code.CURSOR_EXPIRED: 410, Code.NOT_FOUND: 404}


def identify(request: Request, *, query_token: bool) -> Asker:
    """Who asks, with the token's own filter. Raises Problem 401, 403."""
    claims = get_authenticator().authenticate(request, scope=Scope.QUERY, query_token=query_token)
    return Asker(claims.project, time.time_ns() // 1_000_000, _claimed_filter(claims))


def _claimed_filter(claims: Claims) -> Filter:
    """A token whose filter cannot be read opens nothing: less would be more than it may see."""
    if claims.filter is None:
        return EVERYTHING
    try:
        return parse_filter(claims.filter)
    except QueryRefused as refused:
        raise refusals.bad_token(f"the token's claim {refused.field}: {refused}") from refused


@contextmanager
def problems() -> Iterator[None]:
    """Turns what parsing and stores raise into problems."""
    try:
        yield
    except QueryRefused as refused:
        raise _refusal(refused) from refused
    except UnreadableQuery as unreadable:
        raise Problem(
            400,
            Code.INVALID_JSON,
            f"the query is {unreadable}",
            errors=[FieldError(Code.INVALID_JSON, "query")],
        ) from unreadable
    except QueryTimeout as late:
        raise Problem(504, Code.QUERY_TIMEOUT, str(late)) from late
    except RecordsUnavailable as gone:
        raise _later(Code.STORE_UNAVAILABLE, gone) from gone
    except SeriesBackpressure as full:
        raise _later(Code.INDEX_UNAVAILABLE, full) from full
    except (DatabaseError, InterfaceError) as failed:
        message = "the registry of the view cannot be read now: ask again"
        raise _later(Code.INDEX_UNAVAILABLE, SeriesBackpressure(message)) from failed


def _refusal(refused: QueryRefused) -> Problem:
    code = Code(refused.code)
    errors = [FieldError(code, refused.field)]
    return Problem(_STATUSES.get(code, 422), code, str(refused), errors=errors)


def _later(code: Code, full: SeriesBackpressure) -> Problem:
    headers = {"Retry-After": str(max(1, round(full.retry_after_s)))}
    return Problem(503, code, str(full), headers=headers)

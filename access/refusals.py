"""The refusals of every door, in the words of RFC 6750: 401 says what is wrong with the
credential, also that there is none; 403 what it may not do. Pure."""

import re

from access.claims import Scope
from access.problems import Code, Problem

_NOT_QUOTABLE = re.compile(r"[^ !#-\[\]-~]")


def no_credential(hint: str = "") -> Problem:
    """401: nothing was presented."""
    detail = "no credential: send Authorization: Bearer <token>" + hint
    return Problem(401, Code.UNAUTHORIZED, detail, headers=_challenge("invalid_token", detail))


def bad_write_key(detail: str) -> Problem:
    """401: a write key that opens nothing."""
    return Problem(401, Code.UNAUTHORIZED, detail, headers=_challenge("invalid_token", detail))


def bad_token(detail: str, code: Code = Code.INVALID_TOKEN) -> Problem:
    """401: a token that proves nothing, and why."""
    return Problem(401, code, detail, headers=_challenge("invalid_token", detail))


def missing_scope(scope: Scope) -> Problem:
    """403: the credential is good, but not for this."""
    detail = f"this needs the scope {scope.value}, which the credential does not have"
    headers = _challenge("insufficient_scope", detail)
    return Problem(403, Code.MISSING_SCOPE, detail, headers=headers)


def scope_not_granted(names: str) -> Problem:
    """403: the token asks for more than its key may give."""
    detail = f"the token asks for {names}, which its key does not grant: staff can add it"
    headers = _challenge("insufficient_scope", detail)
    return Problem(403, Code.SCOPE_NOT_GRANTED, detail, headers=headers)


def origin_not_allowed(detail: str) -> Problem:
    """403: a page of this origin may not use the project's keys."""
    return Problem(403, Code.ORIGIN_NOT_ALLOWED, detail)


def keys_not_loaded() -> Problem:
    """503: this process could not read the keys yet, so it can tell no good token from a bad."""
    detail = "the keys are not loaded yet, as the database did not answer: try again"
    return Problem(503, Code.STORE_UNAVAILABLE, detail, headers={"Retry-After": "1"})


def again(problem: Problem) -> Problem:
    """A fresh copy to raise: an exception raised twice would collect tracebacks for ever."""
    return Problem(problem.status, problem.code, problem.detail, headers=problem.headers)


def _challenge(error: str, detail: str) -> dict[str, str]:
    description = _NOT_QUOTABLE.sub("'", detail)
    return {"WWW-Authenticate": f'Bearer error="{error}", error_description="{description}"'}

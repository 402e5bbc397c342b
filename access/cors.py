"""Cross-origin requests of browsers: a project's own list decides which pages may read a reply.

No credentials mode: nothing here depends on cookies."""

from collections.abc import Mapping

from access.authentication import Authenticator
from access.http import Door, Request
from access.keys import is_origin_allowed
from access.problems import Problem, Reply
from access.refusals import origin_not_allowed

MAX_AGE_S = 7200  # the longest that Chromium keeps a preflight's answer
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Write-Key, X-Retry-Count, "
    "X-Request-Id, If-None-Match",
    "Access-Control-Max-Age": str(MAX_AGE_S),
}
_VARY: Mapping[str, str] = {"Vary": "Origin"}
_EXPOSED = {"Access-Control-Expose-Headers": "Retry-After, ETag, X-Request-Id"}


def with_cors(door: Door, authenticator: Authenticator) -> Door:
    """The door, open to browsers: answers OPTIONS itself, and puts the headers on every reply and
    every Problem. Serve it with OPTIONS among its methods."""

    async def open_door(request: Request) -> Reply:
        if request.method == "OPTIONS":
            return _preflight(request, authenticator)
        try:
            reply = await door(request)
        except Problem as problem:
            problem.headers = _merged(problem.headers, _headers(request, authenticator))
            raise
        headers = _headers(request, authenticator)
        if reply.headers:
            headers = _merged(reply.headers, headers)
        return Reply(reply.status, reply.body, reply.content_type, headers)

    return open_door


def _preflight(request: Request, authenticator: Authenticator) -> Reply:
    """A preflight carries no credential, so any project that lists the origin answers for all."""
    origin = request.header("origin")
    if origin is None:
        return Reply(204, b"", headers=_VARY)
    if not authenticator.allows_somewhere(origin):
        refusal = origin_not_allowed("no project here allows pages of this origin")
        refusal.headers = dict(_VARY)
        raise refusal
    return Reply(204, b"", headers=_PREFLIGHT | _allowing(origin))


def _headers(request: Request, authenticator: Authenticator) -> Mapping[str, str]:
    origin = request.header("origin")
    if origin is None or not _is_open_to(origin, request, authenticator):
        return _VARY
    return _EXPOSED | _allowing(origin)


def _is_open_to(origin: str, request: Request, authenticator: Authenticator) -> bool:
    try:
        allowed = authenticator.allowed_origins(request)
        if allowed is None:  # no good credential: the page may at least read why
            return authenticator.allows_somewhere(origin)
    except Problem:  # the keys are not loaded
        return False
    return is_origin_allowed(origin, allowed)


def _allowing(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def _merged(own: Mapping[str, str], cors: Mapping[str, str]) -> dict[str, str]:
    if not own:
        return dict(cors)
    vary = own.get("Vary")
    joined = {"Vary": f"{vary}, {cors['Vary']}"} if vary else {}
    return {**own, **cors, **joined}

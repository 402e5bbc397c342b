"""Static files by whitenoise, as a plain ASGI door: its Django middleware would block the loop with
synchronous iterators."""

import asyncio
from functools import cache

from whitenoise.middleware import WhiteNoiseMiddleware

from access.http import AsgiApp, Request, serve
from access.problems import Code, Problem, Reply


def static_door() -> AsgiApp:
    """GET and HEAD of every file that Django's finders know; 404 for all else."""
    return serve(_answer, methods=("GET", "HEAD"))


async def _answer(request: Request) -> Reply:
    return await asyncio.to_thread(_read, request)


def _read(request: Request) -> Reply:
    found = _files().files.get(request.path)
    if found is None:
        raise Problem(404, Code.NOT_FOUND, "there is no such file")
    response = found.get_response("GET", _as_environ(request))
    headers = dict(response.headers)
    content_type = headers.pop("Content-Type", "application/octet-stream")
    headers.pop("Content-Length", None)
    body = b""
    if response.file is not None:
        with response.file:
            body = response.file.read()
    return Reply(int(response.status), body, content_type, headers)


def _as_environ(request: Request) -> dict[str, str]:
    names = ("If-None-Match", "If-Modified-Since", "Accept-Encoding", "Range")
    given = {name: request.header(name.lower()) for name in names}
    return {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in given.items()
        if value is not None
    }


@cache
def _files() -> WhiteNoiseMiddleware:
    """The files by URL, found once."""
    return WhiteNoiseMiddleware(lambda request: None)

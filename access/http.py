"""The plain ASGI doors' common frame: read a request with limits and a deadline, send a reply,
turn problems into documents.

Hot paths stay outside Django's handler and the ORM (docs/decisions/0004-plain-asgi-doors.md).
"""

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from functools import lru_cache
from types import coroutine
from typing import Any

import msgspec

from access.problems import Code, Problem, Reply

Scope = Mapping[str, Any]  # Any: ASGI's own type
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_DEADLINE_S = 30.0
_LENGTH_DIGITS = 19  # a longer one is not believed, and dear to read as a number
_BODILESS = (204, 304)  # RFC 9110: these say nothing about a body
_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_ENCODER = msgspec.json.Encoder()
logger = logging.getLogger(__name__)


class Request(msgspec.Struct, frozen=True):
    """What a door needs of an ASGI scope; header names are lower case. One is made for every
    request: as a dataclass or a named tuple it takes ten times as long."""

    method: str
    path: str
    path_params: Mapping[str, str]
    query_string: bytes
    headers: Mapping[bytes, bytes]
    request_id: str
    receive: Receive

    def header(self, name: str) -> str | None:
        """The header's value, or None."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")


Door = Callable[[Request], Awaitable[Reply]]


class ClientGone(Exception):
    """The client closed the connection before its request was read."""


async def read_body(
    request: Request, *, max_bytes: int, deadline_s: float = BODY_DEADLINE_S
) -> bytes:
    """The raw body. Raises Problem 413 as soon as it is too long (by its length header or while
    reading), 408 when it stalls."""
    length = request.headers.get(b"content-length", b"")
    if length.isdigit() and len(length) <= _LENGTH_DIGITS and int(length) > max_bytes:
        raise _too_large(max_bytes)
    reading = _read_chunks(request.receive, max_bytes)
    try:
        awaited = reading.send(None)
    except StopIteration as done:  # most bodies have come with their head: no time to watch
        body: bytes = done.value
        return body
    deadline = _Deadline(deadline_s)
    try:
        return await _resumed(reading, awaited)
    except asyncio.CancelledError as exc:
        if not deadline.is_cause():
            raise
        raise Problem(
            408,
            Code.REQUEST_TIMEOUT,
            f"the body did not arrive within {deadline_s:g} s: send it again",
        ) from exc
    finally:
        deadline.end()


class _Deadline:
    """Cancels the current task when the time is up: what `asyncio.timeout` does, at a fraction of
    its cost, which small requests feel."""

    __slots__ = ("_is_over", "_task", "_timer")

    def __init__(self, limit_s: float) -> None:
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        self._is_over = False
        self._timer = asyncio.get_running_loop().call_later(limit_s, self._expire)

    def _expire(self) -> None:
        self._is_over = True
        if self._task is not None:
            self._task.cancel()

    def is_cause(self) -> bool:
        """Whether a cancellation that was caught is this deadline's, and nobody else's too."""
        return self._is_over and self._task is not None and self._task.uncancel() == 0

    def end(self) -> None:
        """The time no longer matters."""
        self._timer.cancel()


@coroutine
def _resumed(
    reading: Coroutine[Any, None, bytes], awaited: Any
) -> Generator[Any, None, bytes]:  # Any: what a coroutine hands its task
    """Goes on with a coroutine that has been started, and waits for `awaited`."""
    try:
        yield awaited
    except BaseException as exc:
        reading.throw(exc)
        raise
    body: bytes = yield from reading
    return body


async def _read_chunks(receive: Receive, max_bytes: int) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        return body
    buffer = bytearray(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        buffer += message.get("body", b"")
        if len(buffer) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(buffer)


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        413, Code.PAYLOAD_TOO_LARGE, f"the body is over {max_bytes} bytes: send smaller batches"
    )


def json_reply(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:  # Any: JSON
    """A JSON reply."""
    return Reply(status, _ENCODER.encode(value), headers=headers or {})


def problem_reply(problem: Problem, request_id: str) -> Reply:
    """The problem as its document."""
    body = _ENCODER.encode(problem.as_json(request_id))
    return Reply(problem.status, body, "application/problem+json", problem.headers)


def serve(door: Door, *, methods: tuple[str, ...]) -> AsgiApp:
    """An ASGI application around a door: problems become documents, bugs become a 500 without a
    traceback in the answer."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = _request(scope, receive)
        try:
            if request.method not in methods:
                raise _not_served(request.method, methods)
            reply = await door(request)
        except Problem as problem:
            reply = problem_reply(problem, request.request_id)
        except ClientGone:
            return
        except Exception:
            reply = _failed(request.request_id)
        await send(_head(reply, request.request_id))
        body = b"" if request.method == "HEAD" else reply.body
        await send({"type": "http.response.body", "body": body})

    return application


def _not_served(method: str, methods: tuple[str, ...]) -> Problem:
    detail = f"{method} is not served here: use {' or '.join(methods)}"
    allowed = {"Allow": ", ".join(methods)}
    return Problem(405, Code.METHOD_NOT_ALLOWED, detail, headers=allowed)


def _failed(request_id: str) -> Reply:
    """A bug, in an `except` clause: logged with its traceback, answered without."""
    logger.exception("request failed", extra={"action": "request_failed", "request_id": request_id})
    detail = "a fault of ours, logged under this request_id: nothing is promised, send it again"
    return problem_reply(Problem(500, Code.INTERNAL_ERROR, detail), request_id)


def _request(scope: Scope, receive: Receive) -> Request:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    route = scope.get("url_route")
    return Request(
        method=scope["method"],
        path=scope["path"],
        path_params=route["kwargs"] if route else {},
        query_string=scope.get("query_string", b""),
        headers=headers,
        request_id=given if given and _REQUEST_ID.match(given) else _make_request_id(),
        receive=receive,
    )


def _make_request_id() -> str:
    # Unique is enough. uuid4 asks the system, which lets go of the interpreter's lock: in a busy
    # process it takes longer to come back than all the rest of a small request.
    return random.getrandbits(128).to_bytes(16, "big").hex()  # noqa: S311


@lru_cache(maxsize=256)
def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode(), value.encode("latin-1")


def _head(reply: Reply, request_id: str) -> dict[str, Any]:  # Any: ASGI's own type
    """Status and headers, as ASGI's message."""
    headers = [(b"x-request-id", request_id.encode()), _NO_SNIFF]
    if reply.status not in _BODILESS:
        headers.append(_encoded("content-type", reply.content_type))
        headers.append((b"content-length", b"%d" % len(reply.body)))
    for name, value in reply.headers.items():
        headers.append(_encoded(name, value))
    return {"type": "http.response.start", "status": reply.status, "headers": headers}

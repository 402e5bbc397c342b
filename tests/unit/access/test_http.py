"""The frame of the plain ASGI doors: limits while reading, problems as documents, headers."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from access.http import ClientGone, Door, Request, json_reply, read_body, serve
from access.problems import Code, FieldError, Problem, Reply
from tests.key_builders import make_request

Message = Mapping[str, Any]


def receiving(*chunks: bytes, then: Message | None = None) -> Callable[[], Any]:
    messages: list[Message] = [
        {
            "type": "http.request",
            "body": chunk,
            "more_body": index < len(chunks) - 1 or bool(then),
        }
        for index, chunk in enumerate(chunks)
    ]
    messages += [then] if then else []

    async def receive() -> Message:
        return messages.pop(0)

    return receive


def request_with(receive: Callable[[], Any], headers: Mapping[str, str] | None = None) -> Request:
    given = make_request(headers, method="POST")
    return Request(
        given.method, given.path, {}, given.query_string, given.headers, given.request_id, receive
    )


async def answer(
    door: Door,
    *,
    method: str = "GET",
    methods: tuple[str, ...] = ("GET", "HEAD"),
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> tuple[int, dict[str, str], bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"method": method, "path": "/v1/x", "query_string": b"", "headers": headers}
    await serve(door, methods=methods)(scope, receiving(b""), send)
    if not sent:
        return 0, {}, b""
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], names, sent[1]["body"]


async def test_a_body_is_read_whole_from_its_chunks() -> None:
    for chunks in ([b"abc"], [b"a", b"", b"bc"], [b"", b"abc"]):
        assert await read_body(request_with(receiving(*chunks)), max_bytes=3) == b"abc"


@pytest.mark.parametrize("chunks", [[b"abcd"], [b"ab", b"cd"], [b"abcd", b""]])
async def test_a_body_over_the_limit_is_413(chunks: list[bytes]) -> None:
    with pytest.raises(Problem) as caught:
        await read_body(request_with(receiving(*chunks)), max_bytes=3)
    assert (caught.value.status, caught.value.code) == (413, Code.PAYLOAD_TOO_LARGE)


async def test_a_length_over_the_limit_is_413_before_anything_is_read() -> None:
    request = request_with(receiving(), {"Content-Length": "4"})
    with pytest.raises(Problem) as caught:
        await read_body(request, max_bytes=3)
    assert caught.value.status == 413


@pytest.mark.parametrize("length", ["²", "-1", "x", "", "9" * 5000])
async def test_a_length_that_is_no_number_is_not_believed(length: str) -> None:
    request = request_with(receiving(b"abc"), {"Content-Length": length})
    assert await read_body(request, max_bytes=3) == b"abc"


async def test_a_body_that_stalls_is_408() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Problem) as caught:
        await read_body(request_with(never), max_bytes=3, deadline_s=0.01)
    assert (caught.value.status, caught.value.code) == (408, Code.REQUEST_TIMEOUT)


async def test_a_client_that_leaves_is_not_answered() -> None:
    gone = {"type": "http.disconnect"}
    for receive in (receiving(then=gone), receiving(b"a", then=gone)):
        with pytest.raises(ClientGone):
            await read_body(request_with(receive), max_bytes=3)

    async def door(request: Request) -> Reply:
        raise ClientGone

    assert await answer(door) == (0, {}, b"")


async def test_a_reply_has_its_headers_and_a_safe_request_id() -> None:
    async def door(request: Request) -> Reply:
        return json_reply({"id": request.request_id}, headers={"ETag": '"1"'})

    status, headers, body = await answer(door, headers=[(b"x-request-id", b"abc-1.2_3")])
    assert (status, json.loads(body)) == (200, {"id": "abc-1.2_3"})
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["etag"] == '"1"'

    for unsafe in (b"", b"a b", b"x" * 65, b"\xff", b"a\nb"):
        _, headers, _ = await answer(door, headers=[(b"x-request-id", unsafe)])
        assert len(headers["x-request-id"]) == 32


async def test_head_has_the_length_but_not_the_body() -> None:
    async def door(request: Request) -> Reply:
        return Reply(200, b"abc")

    status, headers, body = await answer(door, method="HEAD")
    assert (status, headers["content-length"], body) == (200, "3", b"")


@pytest.mark.parametrize("status", [204, 304])
async def test_a_reply_that_has_no_body_describes_none(status: int) -> None:
    async def door(request: Request) -> Reply:
        return Reply(status, b"")

    _, headers, _ = await answer(door)
    assert not {"content-length", "content-type"} & set(headers)


async def test_another_method_is_405_and_names_those_served() -> None:
    async def door(request: Request) -> Reply:
        raise AssertionError

    status, headers, body = await answer(door, method="DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert json.loads(body)["code"] == "method_not_allowed"


async def test_a_problem_becomes_its_document() -> None:
    async def door(request: Request) -> Reply:
        raise Problem(
            422,
            Code.INVALID_QUERY,
            "no",
            errors=[FieldError("invalid_query", "metrics", 0), FieldError("x")],
            headers={"Retry-After": "1"},
            extensions={"counts": {"ok": 0}},
        )

    status, headers, body = await answer(door, headers=[(b"x-request-id", b"r9")])
    assert status == 422
    assert headers["content-type"] == "application/problem+json"
    assert headers["retry-after"] == "1"
    assert json.loads(body) == {
        "type": "/docs/errors/invalid_query",
        "title": "Invalid query",
        "status": 422,
        "detail": "no",
        "code": "invalid_query",
        "request_id": "r9",
        "errors": [
            {"index": 0, "field": "metrics", "code": "invalid_query"},
            {"code": "x"},
        ],
        "counts": {"ok": 0},
    }


async def test_a_bug_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def door(request: Request) -> Reply:
        raise ZeroDivisionError("inner secret")

    status, _, body = await answer(door)
    assert (status, json.loads(body)["code"]) == (500, "internal_error")
    assert b"secret" not in body
    assert "inner secret" in caplog.text


async def test_a_cancelled_request_stays_cancelled() -> None:
    async def door(request: Request) -> Reply:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await answer(door)

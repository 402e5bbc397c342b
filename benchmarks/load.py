"""A small HTTP load generator: prepared requests over keep-alive connections to loopback, bounded
in time.

It shares the machine with the server that it measures, so it does next to nothing: it writes a
request, finds the end of the answer by its length, and counts.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import cast

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_OK = b"HTTP/1.1 200"


class _Connection(asyncio.Protocol):
    """One request at a time; `done` counts those answered with 200."""

    def __init__(self, requests: Sequence[bytes], deadline_s: float) -> None:
        self._requests, self._deadline_s = requests, deadline_s
        self._answer = b""
        self._whole_bytes = 0  # of the answer that comes in; 0 until its head is there
        self._transport: asyncio.WriteTransport | None = None
        self.done = 0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's are no subclass of it
        self._transport.write(self._requests[0])

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._whole_bytes:
            self._whole_bytes = self._length()
        if self._whole_bytes and len(self._answer) >= self._whole_bytes:
            self._next()

    def _length(self) -> int:
        """Bytes of the answer, head and body; 0 while the head is not complete."""
        head_bytes = self._answer.find(_HEAD_END) + len(_HEAD_END)
        if head_bytes < len(_HEAD_END):
            return 0
        if not self._answer.startswith(_OK):
            self._end(RuntimeError(f"answered {self._answer[:200]!r}"))
            return 0
        head = self._answer[:head_bytes].lower()
        start = head.index(_LENGTH) + len(_LENGTH)
        return head_bytes + int(head[start : head.index(b"\r", start)])

    def _next(self) -> None:
        self.done += 1
        self._answer, self._whole_bytes = b"", 0
        if time.monotonic() >= self._deadline_s:
            self._end(None)
        elif self._transport is not None:
            self._transport.write(self._requests[self.done % len(self._requests)])

    def _end(self, fault: Exception | None) -> None:
        if self._transport is not None:
            self._transport.close()
        if self.closed.done():
            return
        if fault is None:
            self.closed.set_result(None)
        else:
            self.closed.set_exception(fault)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or RuntimeError("the server closed a connection"))


async def _drive(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    start_s = time.monotonic()
    shares = [requests[index::connections] or requests for index in range(connections)]
    made = [
        await loop.create_connection(
            lambda share=share: _Connection(share, start_s + seconds),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        for share in shares
    ]
    await asyncio.gather(*(connection.closed for _, connection in made))
    return sum(connection.done for _, connection in made) / (time.monotonic() - start_s)


def requests_per_second(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float
) -> float:
    """Requests answered with 200 a second. Raises RuntimeError for any other answer."""
    import uvloop

    return uvloop.run(_drive(port, requests, connections, seconds))


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of one POST request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

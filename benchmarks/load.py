"""A small HTTP load generator: prepared requests over keep-alive connections to loopback, bounded
in time."""

import asyncio
import time
from collections.abc import Sequence


async def _connection(port: int, requests: Sequence[bytes], deadline: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    try:
        while time.monotonic() < deadline:
            writer.write(requests[done % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"answered {head[:200]!r}")
            length = head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            done += 1
    finally:
        writer.close()
    return done


async def _drive(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> float:
    start = time.monotonic()
    shares = [requests[index::connections] or requests for index in range(connections)]
    done = await asyncio.gather(*(_connection(port, share, start + seconds) for share in shares))
    return sum(done) / (time.monotonic() - start)


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

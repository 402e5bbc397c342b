"""Answers leave in one packet, streams as they come."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import uvicorn
import uvloop
from websockets.asyncio.client import connect

from access.http import AsgiApp, Receive, Scope, Send
from operations.corked import CorkedProtocol, CorkedTransport

PATIENCE_S = 20.0
READ_BYTES = 1 << 20
BODY = b'{"ok":true}'


@asynccontextmanager
async def served(application: AsgiApp) -> AsyncIterator[int]:
    """The port where the application answers."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        cast(Any, application), http=CorkedProtocol, lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[socket.socket]:
    """A plain connection, so that what arrives at once is seen at once."""
    client = socket.socket()
    client.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
        yield client
    finally:
        client.close()


async def ask(client: socket.socket, *headers: str) -> bytes:
    """Send a request; what arrives first of its answer."""
    loop = asyncio.get_running_loop()
    text = "\r\n".join(("GET / HTTP/1.1", "Host: here", *headers)) + "\r\n\r\n"
    await loop.sock_sendall(client, text.encode())
    return await loop.sock_recv(client, READ_BYTES)


async def rest_of(client: socket.socket) -> bytes:
    """Everything until the server closes."""
    loop, found = asyncio.get_running_loop(), b""
    while piece := await loop.sock_recv(client, READ_BYTES):
        found += piece
    return found


async def start(send: Send, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})


async def small_answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await start(send, (b"content-length", b"%d" % len(BODY)))
    await send({"type": "http.response.body", "body": BODY})


async def test_head_and_body_arrive_together_on_one_connection_many_times() -> None:
    async with served(small_answer) as port, connected(port) as client:
        for _ in range(200):
            answer = await ask(client)
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b"\r\n\r\n" + BODY)


async def test_an_answer_before_a_close_arrives_whole() -> None:
    async with served(small_answer) as port, connected(port) as client:
        answer = await ask(client, "Connection: close") + await rest_of(client)

    assert answer.endswith(b"\r\n\r\n" + BODY)


async def test_a_head_does_not_wait_for_its_body() -> None:
    head_arrived = asyncio.Event()

    async def waits(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send, (b"content-length", b"%d" % len(BODY)))
        await head_arrived.wait()
        await send({"type": "http.response.body", "body": BODY})

    async with served(waits) as port, connected(port) as client:
        head = await ask(client)
        assert head.endswith(b"\r\n\r\n")
        head_arrived.set()
        assert await asyncio.get_running_loop().sock_recv(client, READ_BYTES) == BODY


async def test_a_long_stream_arrives_in_order_through_a_full_connection() -> None:
    pieces = [bytes([n]) * size for n, size in enumerate((1, 70_000, 3, 900_000, 5_000_000, 17))]

    async def streams(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send, (b"content-length", b"%d" % sum(map(len, pieces))))
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    async with served(streams) as port, connected(port) as client:
        answer = await ask(client, "Connection: close")
        await asyncio.sleep(0.1)  # meanwhile the connection is full
        answer += await rest_of(client)

    assert answer.partition(b"\r\n\r\n")[2] == b"".join(pieces)


async def test_a_websocket_is_not_held_back() -> None:
    async def echoes(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})

    async with served(echoes) as port, connect(f"ws://127.0.0.1:{port}/") as client:
        for word in ("one", "two"):
            await client.send(word)
            assert await client.recv() == word.upper()


def test_what_is_written_to_a_client_that_has_gone_is_dropped_in_silence() -> None:
    said: list[dict[str, Any]] = []

    async def write_to_nobody() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: said.append(context))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = listening.getsockname()
            transport, _ = await loop.create_connection(asyncio.Protocol, *address)
            transport.abort()
            CorkedTransport(transport, loop).write(b"head")
            await asyncio.sleep(0.05)

    uvloop.run(write_to_nobody())

    assert said == []

"""A door in front of a real server: closed it is a port that refuses, opened it forwards, at once
or late. So tests take an engine away, slow it down and cut its connections without touching the
server that others use."""

import queue
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.stack import free_port

CHUNK_BYTES = 16 * 1024
QUEUED_CHUNKS = 256
"""Underway in one direction; then the sender waits."""
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class Gate:
    """Closed until `open`; use as a context manager. Forwards to a host and port of loopback."""

    server: tuple[str, int]
    port: int = field(default_factory=free_port)
    late_s: tuple[float, float] = (0.0, 0.0)
    """Between these bounds every piece of an answer is late, drawn anew for each; in order all the
    same. May be set while connections are open."""
    _listening: socket.socket | None = None
    _sockets: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """`host:port` to give to clients."""
        return f"127.0.0.1:{self.port}"

    def open(self) -> None:
        """Let clients through from now on."""
        self._listening = socket.create_server(("127.0.0.1", self.port))
        _in_thread(self._accept, self._listening)

    def close(self) -> None:
        """Cut every connection and refuse new ones."""
        with self._lock:
            listening, self._listening = self._listening, None
        if listening is not None:
            _end(listening)
        self.cut()

    def cut(self) -> None:
        """Reset every connection, wherever in a request or an answer it is; new ones are let
        through."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for each in sockets:
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            _end(each)

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = listening.accept()
                _in_thread(self._let_through, listening, client)

    def _let_through(self, listening: socket.socket, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.server, timeout=10)
        except OSError:
            _end(client)
            return
        server.settimeout(None)
        with self._lock:
            if self._listening is not listening:
                _end(client, server)
                return
            self._sockets += [client, server]
        _in_thread(self._forward, client, server)
        _in_thread(self._forward_late, server, client)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                target.sendall(chunk)
        _end(source, target)

    def _forward_late(self, source: socket.socket, target: socket.socket) -> None:
        underway: queue.Queue[tuple[float, bytes]] = queue.Queue(QUEUED_CHUNKS)
        _in_thread(_deliver, underway, source, target)
        due_s = 0.0
        with suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                due_s = max(due_s, time.monotonic() + random.uniform(*self.late_s))
                underway.put((due_s, chunk))
        underway.put((due_s, b""))


def _deliver(
    underway: "queue.Queue[tuple[float, bytes]]", source: socket.socket, target: socket.socket
) -> None:
    is_open = True
    while True:
        due_s, chunk = underway.get()
        if not chunk:
            break
        if is_open:
            time.sleep(max(0.0, due_s - time.monotonic()))
            try:
                target.sendall(chunk)
            except OSError:
                is_open = False  # the rest is taken and dropped, so that nobody waits for room
    _end(source, target)


def _in_thread(run: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=run, args=arguments, daemon=True).start()


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()

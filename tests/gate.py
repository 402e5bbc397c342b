"""A door in front of a real server: closed it is a port that refuses, opened it forwards. So tests
take an engine away and bring it back without touching the server that others use."""

import selectors
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field

from tests.stack import free_port

CHUNK_BYTES = 64 * 1024


@dataclass
class Gate:
    """Closed until `open`; use as a context manager. Forwards to a host and port of loopback."""

    server: tuple[str, int]
    port: int = field(default_factory=free_port)
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
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def close(self) -> None:
        """Cut every connection and refuse new ones."""
        with self._lock:
            listening, self._listening = self._listening, None
            sockets, self._sockets = self._sockets, []
        for each in [*sockets, *([listening] if listening else [])]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
                server = socket.create_connection(self.server, timeout=10)
            except OSError:
                return  # closed
            server.settimeout(None)
            with self._lock:
                if self._listening is not listening:
                    client.close()
                    server.close()
                    return
                self._sockets += [client, server]
            threading.Thread(target=_forward, args=(client, server), daemon=True).start()


def _forward(client: socket.socket, server: socket.socket) -> None:
    other = {client: server, server: client}
    with selectors.DefaultSelector() as selector, suppress(OSError, ValueError):
        for each in other:
            selector.register(each, selectors.EVENT_READ, each)
        while True:
            for key, _ in selector.select():
                source: socket.socket = key.data
                chunk = source.recv(CHUNK_BYTES)
                if not chunk:
                    raise OSError("closed")
                other[source].sendall(chunk)
    for each in other:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)

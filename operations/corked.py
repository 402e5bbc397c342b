"""HTTP over uvicorn with head and body of an answer in one packet.

uvicorn writes them one after the other and uvloop sends each write at once, so that server and
client pay twice for every small answer.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class CorkedTransport:
    """A transport that holds a write until the next one, and sends both; alone it goes when the
    loop comes round. It never holds more than one. All else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self._call_soon = loop.call_soon
        self._held: bytes | None = None

    def write(self, data: bytes) -> None:
        """As asyncio.WriteTransport's."""
        if self._held is None:
            self._held = data
            self._call_soon(self.uncork)
        else:
            self.transport.writelines((self._held, data))
            self._held = None

    def uncork(self) -> None:
        """Send what is held. Where the client has gone meanwhile it is dropped, as a write is then:
        uvloop raises once its transport is closed for good."""
        held, self._held = self._held, None
        if held is not None and not self.transport.is_closing():
            self.transport.write(held)

    def close(self) -> None:
        """As asyncio.BaseTransport's: what was written is sent first."""
        self.uncork()
        self.transport.close()

    def __getattr__(self, name: str) -> Any:  # Any: whatever the transport has
        return getattr(self.transport, name)


class CorkedProtocol(HttpToolsProtocol):
    """uvicorn's own, over such a transport; WebSockets get the plain one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """As asyncio.Protocol's."""
        super().connection_made(cast(asyncio.Transport, CorkedTransport(transport, self.loop)))

    def handle_websocket_upgrade(self) -> None:
        """As uvicorn's."""
        corked = cast(CorkedTransport, self.transport)
        corked.uncork()
        self.transport = corked.transport
        super().handle_websocket_upgrade()

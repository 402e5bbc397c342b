"""What lives as long as the web process: started before its first request, stopped after its last.

The server stops taking requests and lets open ones finish before it ends the lifespan.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from access.http import Receive, Scope, Send

logger = logging.getLogger(__name__)


class Part(Protocol):
    """Something that runs beside the requests. Both calls may block; `stop` within seconds."""

    def start(self) -> None:
        """Raises when the process must not serve without it: the message is shown, the start
        fails."""

    def stop(self) -> None:
        """Finish what is in hand and free everything; called for started parts, last first."""


class Lifespan:
    """The ASGI lifespan protocol around a list of parts."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._started: list[Part] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one lifespan."""
        await receive()
        try:
            await asyncio.to_thread(self._start)
        except (Exception, SystemExit) as exc:
            await asyncio.to_thread(self._stop)
            await send({"type": "lifespan.startup.failed", "message": str(exc)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.to_thread(self._stop)
        await send({"type": "lifespan.shutdown.complete"})

    def _start(self) -> None:
        for part in self._parts:
            part.start()
            self._started.append(part)

    def _stop(self) -> None:
        while self._started:
            part = self._started.pop()
            try:
                part.stop()
            except Exception:
                logger.exception("a part did not stop cleanly", extra={"action": "stop_failed"})

"""What lives as long as the web process: started before its first request, stopped after its last.

The server stops taking requests and lets open ones finish before it ends the lifespan.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

from access.http import Receive, Scope, Send
from feed.garbage import spare_long_lived_objects

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

    def __init__(
        self, parts: Sequence[Part], *, on_stop_signal: Callable[[], None] = lambda: None
    ) -> None:
        """`on_stop_signal` is called on the loop as soon as the process is told to end, while
        requests are still open: whoever only waits can be answered early."""
        self._parts = parts
        self._on_stop_signal = on_stop_signal
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
        self._listen_for_signals(asyncio.get_running_loop())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.to_thread(self._stop)
        await send({"type": "lifespan.shutdown.complete"})

    def _listen_for_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """Before the server's own handlers, which it has set by now."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            servers = signal.getsignal(number)

            def handle(signum: int, frame: FrameType | None, then: object = servers) -> None:
                loop.call_soon_threadsafe(self._on_stop_signal)
                if callable(then):
                    then(signum, frame)

            signal.signal(number, handle)

    def _start(self) -> None:
        for part in self._parts:
            part.start()
            self._started.append(part)
        spare_long_lived_objects()

    def _stop(self) -> None:
        while self._started:
            part = self._started.pop()
            try:
                part.stop()
            except Exception:
                logger.exception("a part did not stop cleanly", extra={"action": "stop_failed"})

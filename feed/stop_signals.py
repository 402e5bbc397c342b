"""SIGTERM and SIGINT as a request to drain: answered once, with a deadline, and at once when
repeated."""

import logging
import os
import select
import signal
import sys
import threading
import time
from types import FrameType, TracebackType

DRAIN_DEADLINE_S = 9.0
"""From the first signal to a hard exit, within the 10 s that a stop may take. The batch in hand
is then left uncommitted and comes again."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_DEADLINE_EXIT_CODE = 1
_SIGNAL_EXIT_BASE = 128

logger = logging.getLogger(__name__)


class StopSignals:
    """While entered, the first SIGTERM or SIGINT sets `requested`; the same signal again ends the
    process at once.

    A thread of its own watches, since Python runs signal handlers between bytecodes of the main
    thread only: one call into a hung engine must delay neither the deadline nor the second signal.
    Two different signals are one request: a Ctrl-C reaches a child both from the terminal and as
    SIGTERM from its parent.
    Outside the main thread, where Python takes no signals, nothing is installed.
    """

    def __init__(self, *, drain_deadline_s: float = DRAIN_DEADLINE_S) -> None:
        self.requested = threading.Event()
        self._drain_deadline_s = drain_deadline_s
        self._is_installed = False

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            self._install()
        return self

    def _install(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._write_fd, False)
        self._previous = {number: signal.signal(number, _ignore) for number in _SIGNALS}
        self._previous_fd = signal.set_wakeup_fd(self._write_fd)
        self._watch_thread = threading.Thread(target=self._watch, name="stop-signals", daemon=True)
        self._watch_thread.start()
        self._is_installed = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._is_installed:
            return
        signal.set_wakeup_fd(self._previous_fd)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._write_fd)  # the watching thread reads the end of the pipe and returns
        self._watch_thread.join()
        os.close(self._read_fd)

    def _watch(self) -> None:
        seen: set[int] = set()
        deadline_s: float | None = None
        while True:
            left_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
            if not select.select([self._read_fd], [], [], left_s)[0]:
                self._give_up()
            numbers = os.read(self._read_fd, 64)
            if not numbers:
                return
            for number in numbers:
                if number in seen:
                    os._exit(_SIGNAL_EXIT_BASE + number)
                if number in _SIGNALS:
                    seen.add(number)
                    deadline_s = deadline_s or time.monotonic() + self._drain_deadline_s
                    self._request(number)

    def _request(self, number: int) -> None:
        if not self.requested.is_set():
            logger.info(
                "stopping: the batch in hand is finished and committed first",
                extra={"action": "stopping", "signal": signal.Signals(number).name},
            )
        self.requested.set()

    def _give_up(self) -> None:
        logger.error(
            "the batch in hand did not end in %g s: left uncommitted, it comes again",
            self._drain_deadline_s,
            extra={"action": "drain_deadline_passed"},
        )
        sys.stderr.flush()
        os._exit(_DEADLINE_EXIT_CODE)


def _ignore(number: int, frame: FrameType | None) -> None:
    """The wake-up descriptor carries the number to the watching thread; nothing is left to do."""

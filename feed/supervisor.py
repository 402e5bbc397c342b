"""Keeps a loop alive: starts it again after unexpected errors, later each time, and gives up when
nothing gets done, so that whoever runs the process notices."""

import logging
import threading
from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured

from feed import metrics
from feed.backoff import Backoff
from feed.errors import (
    Backpressure,
    DataLoss,
    TooManyDeadLetters,
    UnknownSchema,
    UnsafeTopic,
    WrongOption,
)

MAX_FAILURES = 5
"""Failures in a row without one commit between them: a sixth try would not go better."""
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 30.0

_NEEDS_AN_OPERATOR = (
    DataLoss,
    UnknownSchema,
    TooManyDeadLetters,
    UnsafeTopic,
    WrongOption,
    ImproperlyConfigured,
    ImportError,
)
"""Another try would meet the same: each says in one sentence what to decide or to mend."""

logger = logging.getLogger(__name__)


class Supervisor:
    """Runs `body` until it returns, until `stop` is set, or until there is no point.

    `between` runs before every new try: it drops what a failure may have broken, such as database
    connections. A feed that cannot be reached is waited for without end, or, unless
    `waits_for_feed`, counted like any failure.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[], None],
        *,
        stop: threading.Event,
        waits_for_feed: bool = True,
        between: Callable[[], object] = lambda: None,
        backoff: Backoff | None = None,
        max_failures: int = MAX_FAILURES,
    ) -> None:
        self._name, self._body, self._stop, self._between = name, body, stop, between
        self._backoff = backoff or Backoff(first_s=FIRST_WAIT_S, cap_s=MAX_WAIT_S)
        self._max_failures = max_failures
        self._waits_for_feed = waits_for_feed
        self._failures = 0

    def note_progress(self) -> None:
        """Something was committed: failures are counted from zero again."""
        self._failures = 0
        self._backoff.reset()

    def run(self) -> int:
        """The exit code: 0 when the body ended as asked, 1 when an operator must look."""
        while True:
            exit_code = self._attempt()
            if exit_code is not None:
                return exit_code
            self._stop.wait(self._backoff.next_s())
            if self._stop.is_set():
                return 0
            self._between()

    def _attempt(self) -> int | None:
        """One run of the body; None when it is worth another."""
        try:
            self._body()
        except _NEEDS_AN_OPERATOR as exc:
            return self._give_up(str(exc))
        except Backpressure as exc:
            logger.warning("%s: waiting: %s", self._name, exc, extra={"action": "worker_waiting"})
            return self._after_waiting(str(exc))
        except Exception as exc:
            logger.exception("%s: unexpected error", self._name, extra={"action": "worker_failed"})
            return self._count_failure(f"{type(exc).__name__}: {exc}")
        return 0

    def _after_waiting(self, reason: str) -> int | None:
        if self._stop.is_set():
            return 0
        return None if self._waits_for_feed else self._count_failure(reason)

    def _count_failure(self, reason: str) -> int | None:
        self._failures += 1
        metrics.LOOP_FAILURES.labels(self._name).inc()
        if self._failures < self._max_failures:
            return None
        return self._give_up(f"{self._failures} failures without progress, the last: {reason}")

    def _give_up(self, reason: str) -> int:
        logger.error("%s stops: %s", self._name, reason, extra={"action": "worker_gave_up"})
        return 1

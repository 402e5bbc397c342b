"""Keeps a loop alive: starts it again after unexpected errors, later each time, and gives up when
nothing gets done, so that whoever runs the process notices."""

import logging
import threading
from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError

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
    CommandError,
)
"""Another try would meet the same: each says in one sentence what to decide or to mend."""

_COMES_BACK = (Backpressure, OperationalError, InterfaceError)
"""What is away and waited for: an engine, or the Django database."""

logger = logging.getLogger(__name__)


class Supervisor:
    """Runs `body` until it returns, until `stop` is set, or until there is no point.

    `between` runs before every new try: it drops what a failure may have broken, such as database
    connections. An engine or database that cannot be reached is waited for without end, which is
    said once, or, unless `waits`, counted like any failure.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[], None],
        *,
        stop: threading.Event,
        waits: bool = True,
        between: Callable[[], object] = lambda: None,
        backoff: Backoff | None = None,
        max_failures: int = MAX_FAILURES,
    ) -> None:
        self._name, self._body, self._stop, self._between = name, body, stop, between
        self._backoff = backoff or Backoff(first_s=FIRST_WAIT_S, cap_s=MAX_WAIT_S)
        self._max_failures = max_failures
        self._waits = waits
        self._failures = 0
        self._is_waiting = False

    def note_progress(self) -> None:
        """Something was committed: failures are counted from zero again."""
        self._failures = 0
        self._backoff.reset()

    def note_reachable(self) -> None:
        """What the body needs at its start is there: say so if it was waited for."""
        if self._is_waiting:
            self._is_waiting = False
            self._backoff.reset()
            logger.info("%s: going on", self._name, extra={"action": "worker_going_on"})

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
        except _COMES_BACK as exc:
            return self._wait(_reason(exc))
        except Exception as exc:
            logger.exception("%s: unexpected error", self._name, extra={"action": "worker_failed"})
            return self._count_failure(f"{type(exc).__name__}: {exc}")
        return 0

    def _wait(self, reason: str) -> int | None:
        if not self._is_waiting:
            self._is_waiting = True
            logger.warning(
                "%s: waiting: %s", self._name, reason, extra={"action": "worker_waiting"}
            )
        if self._stop.is_set():
            return 0
        return None if self._waits else self._count_failure(reason)

    def _count_failure(self, reason: str) -> int | None:
        self._failures += 1
        metrics.LOOP_FAILURES.labels(self._name).inc()
        if self._failures < self._max_failures:
            return None
        return self._give_up(f"{self._failures} failures without progress, the last: {reason}")

    def _give_up(self, reason: str) -> int:
        logger.error("%s stops: %s", self._name, reason, extra={"action": "worker_gave_up"})
        return 1


def _reason(fault: Exception) -> str:
    """One line, whatever a database's driver says."""
    words = " ".join(str(fault).split())
    if isinstance(fault, Backpressure):
        return words
    return f"the Django database does not answer ({words}): does it run, and is it migrated?"

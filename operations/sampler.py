"""A thread of the admin's process that looks at the pipeline every five seconds, so that the first
page has a past to show and the states something to compare with."""

import logging
import threading

from django.db import DatabaseError, InterfaceError, connections

from feed.errors import FeedError
from operations.outages import Outage
from operations.pipeline import look

PERIOD_S = 5.0
STOP_LIMIT_S = 5.0
logger = logging.getLogger(__name__)


class Sampler:
    """Start and stop it once each."""

    def __init__(self, *, period_s: float = PERIOD_S) -> None:
        self._period_s = period_s
        self._stopping = threading.Event()
        self._outage = Outage(logger, "samples of the pipeline", action="sample_failed")
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and its database connection."""
        self._stopping.set()
        self._thread.join(STOP_LIMIT_S)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._look()
                self._stopping.wait(self._period_s)
        finally:
            connections.close_all()

    def _look(self) -> None:
        try:
            look()
        except (FeedError, DatabaseError, InterfaceError) as exc:
            # The page says `unknown` meanwhile; the next look may go well.
            self._outage.begin(exc)
            connections.close_all()
        except Exception:
            # A bug: logged, and tried again, since nothing supervises this thread.
            logger.exception("sampling failed", extra={"action": "sample_failed"})
            connections.close_all()
        else:
            self._outage.end()

"""How far the view has come: asked of the feed at most twice a second, whatever the load."""

import threading
from collections.abc import Callable
from functools import cache

from feed.backends import get_feed
from feed.clock import Clock
from feed.errors import FeedError
from feed.lag import complete_through_ms
from feed.ports import Feed
from feed.topics import Group, Topic

KEPT_S = 0.5


class Freshness:
    """Up to when the view has every event that was acknowledged. Thread-safe."""

    def __init__(self, feed: Callable[[], Feed], clock: Clock | None = None) -> None:
        self._feed = feed
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._asked_s: float | None = None
        self._through_ms: int | None = None

    def complete_through_ms(self) -> int | None:
        """Every event logged before this time is in the view; None when the feed cannot tell,
        which is no reason to withhold figures."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            if self._asked_s is None or now_s - self._asked_s >= KEPT_S:
                self._through_ms = self._ask()
                self._asked_s = now_s
            return self._through_ms

    def _ask(self) -> int | None:
        try:
            return complete_through_ms(
                self._feed(), Group.PROJECTOR, Topic.EVENTS, now_ms=self._clock.now_ms()
            )
        except FeedError:
            return None


@cache
def get_freshness() -> Freshness:
    """This process's one."""
    return Freshness(get_feed)

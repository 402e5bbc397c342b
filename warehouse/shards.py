"""How many shards an hour of a project has: a step function that is only ever appended to, and
only for hours that no event can have been placed in yet. Knows no database: that is `shard_steps`.
"""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from feed.event import HOUR_MS

NOTICE_MS = 48 * HOUR_MS
"""A step begins at least so far ahead of the moment it is made. Events are admitted at most 24
hours ahead, so that a plan read half a day ago still places every event right."""
SKEW_MS = 6 * HOUR_MS
"""What clocks of writers and of whoever makes a step may differ by, and more."""
REREAD_S = 60.0
"""How often a plan is read again for hours that even a fresh one does not cover."""
MAX_SHARDS = 4096
MAX_REMEMBERED_PROJECTS = 100_000


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """The steps of one project as they were at `read_at_ms`: from `starts_ms[i]` on, an hour has
    `counts[i]` shards; before the first step, one."""

    read_at_ms: int
    starts_ms: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    def count(self, hour_ms: int) -> int:
        """Shards of the hour."""
        index = bisect_right(self.starts_ms, hour_ms)
        return self.counts[index - 1] if index else 1

    def covers(self, hour_ms: int) -> bool:
        """Whether no step made after the plan was read can begin at or before this hour."""
        return hour_ms < self.read_at_ms + NOTICE_MS - SKEW_MS


LoadPlan = Callable[[str], ShardPlan]
"""Reads a project's plan as it is now. Raises StoreUnavailable."""


class ShardPlans:
    """Plans that a writer knows, read again as they age. Thread-safe."""

    def __init__(
        self, load: LoadPlan, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._load, self._monotonic_s = load, monotonic_s
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, ShardPlan]] = {}

    def count(self, project: str, hour_ms: int) -> int:
        """Shards of a project's hour, from a plan that is fresh enough to be right. Raises
        StoreUnavailable rather than place a key in a wrong shard."""
        known = self._known.get(project)
        if known is None or not known[1].covers(hour_ms):
            known = self._reread(project, hour_ms)
        return known[1].count(hour_ms)

    def _reread(self, project: str, hour_ms: int) -> tuple[float, ShardPlan]:
        with self._lock:
            now_s = self._monotonic_s()
            known = self._known.get(project)
            if known is not None and (known[1].covers(hour_ms) or now_s < known[0] + REREAD_S):
                return known
            if len(self._known) >= MAX_REMEMBERED_PROJECTS:
                self._known.clear()
            fresh = now_s, self._load(project)
            self._known[project] = fresh
            return fresh

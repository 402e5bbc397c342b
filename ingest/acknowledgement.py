"""Waiting, on the event loop: for the feed's word on every row, then for the level asked for.

The only asynchronous part of ingest below its doors.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from functools import partial
from threading import get_ident
from typing import Protocol

from feed.ports import Feed, Reports, TopicPartition
from feed.topics import Group
from ingest.payloads import Level
from ingest.services import Accepted

LOG_DEADLINE_S = 10.0  # unknown by then is `retry`: below the time limits of usual clients
MANY = 16
"""Requests that wait at a time, from which on the loop takes the feed's reports itself. With few
the feed's thread is as good, and disturbs nobody."""
IDLE_LOOKS, IDLE_S = 4, 0.001


class Progress(Protocol):
    """Where consumer groups stand; feed.progress.ProgressWatcher is one."""

    async def wait_passed(
        self, group: str, positions: Mapping[TopicPartition, int], *, timeout_s: float
    ) -> bool:
        """Whether the group has committed beyond each offset, within the time limit."""


class Settling:
    """Wakes the requests of one loop whose tickets are settled.

    By the feed's thread: however many they are, the loop is woken once until it has looked. While
    many wait, by the loop itself, which takes the feed's reports between two rounds of its own:
    then no thread waits for another one's hold on the interpreter (docs/decisions/0022).

    All wait equally long, so that one timer watches the one who has waited longest: a timer for
    each costs a small request more than all else that is done here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, feed: Feed, *, deadline_s: float) -> None:
        self.loop, self.feed, self._deadline_s = loop, feed, deadline_s
        self._reports = feed.reports()
        self._thread = get_ident()
        self._until_s: dict[asyncio.Future[None], float] = {}  # in the order of their deadlines
        self._is_timed = False
        self._settled: deque[asyncio.Future[None]] = deque()
        self._is_scheduled = False
        self._is_looking = False
        self._has_arrived = False
        self._idle_looks = 0

    async def wait(self, accepted: Accepted) -> None:
        """Return when the fate of every row is known, or at the deadline. For the loop's own
        thread."""
        future: asyncio.Future[None] = self.loop.create_future()
        accepted.add_done_callback(partial(self._notify, future))
        self._until_s[future] = until_s = self.loop.time() + self._deadline_s
        if not self._is_timed:
            self._is_timed = True
            self.loop.call_at(until_s, self._expire)
        self._has_arrived = True
        if not self._is_looking and len(self._until_s) >= MANY and self._reports is not None:
            self._is_looking = True
            self.loop.call_soon(self._look, self._reports)
        try:
            await future
        finally:
            del self._until_s[future]

    def _expire(self) -> None:
        now_s = self.loop.time()
        for future, until_s in self._until_s.items():
            if until_s > now_s:
                self.loop.call_at(until_s, self._expire)
                return
            _resolve(future)
        self._is_timed = False

    def _look(self, reports: Reports) -> None:
        """One look of many: each round of the loop, until some in a row found neither a new request
        nor a report. After the first such the loop has nothing to do but to wait for reports: to
        do that in the driver, for a millisecond at most, is less work than to be woken."""
        is_busy, self._has_arrived = self._has_arrived, False
        try:
            is_busy |= reports.take_reports(timeout_s=IDLE_S if self._idle_looks else 0)
        except BaseException:
            self._leave(reports)
            raise
        self._idle_looks = 0 if is_busy else self._idle_looks + 1
        if self._idle_looks < IDLE_LOOKS:
            self.loop.call_soon(self._look, reports)
        else:
            self._leave(reports)

    def _leave(self, reports: Reports) -> None:
        self._is_looking, self._idle_looks = False, 0
        reports.leave_reports()

    def _notify(self, future: asyncio.Future[None]) -> None:
        try:
            if get_ident() == self._thread:
                _resolve(future)
            else:
                self._wake(future)
        except RuntimeError:  # the loop is closed: nobody waits there any more
            return

    def _wake(self, future: asyncio.Future[None]) -> None:
        # First append, then look at the flag: _drain clears the flag before it empties the queue,
        # so that nothing is left behind unseen.
        self._settled.append(future)
        if not self._is_scheduled:
            self._is_scheduled = True
            self.loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._is_scheduled = False
        while self._settled:
            _resolve(self._settled.popleft())


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def reach_level(
    wanted: Level, positions: Mapping[TopicPartition, int], progress: Progress, *, wait_s: float
) -> Level:
    """The level that every logged row has reached once `wanted` is, or the time is up. Levels are
    a ladder: projected means stored as well."""
    if wanted is Level.LOGGED or not positions:
        return Level.LOGGED
    loop = asyncio.get_running_loop()
    end_s = loop.time() + wait_s
    if not await progress.wait_passed(Group.SINK, positions, timeout_s=wait_s):
        return Level.LOGGED
    if wanted is Level.STORED:
        return Level.STORED
    left_s = max(0.0, end_s - loop.time())
    if await progress.wait_passed(Group.PROJECTOR, positions, timeout_s=left_s):
        return Level.PROJECTED
    return Level.STORED

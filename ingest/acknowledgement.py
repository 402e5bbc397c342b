"""Waiting, on the event loop: for the feed's word on every row, then for the level asked for.

The only asynchronous part of ingest below its doors.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Protocol

from feed.ports import TopicPartition
from feed.topics import Group
from ingest.payloads import Level
from ingest.services import Accepted

LOG_DEADLINE_S = 10.0  # unknown by then is `retry`: below the time limits of usual clients


class Progress(Protocol):
    """Where consumer groups stand; feed.progress.ProgressWatcher is one."""

    async def wait_passed(
        self, group: str, positions: Mapping[TopicPartition, int], *, timeout_s: float
    ) -> bool:
        """Whether the group has committed beyond each offset, within the time limit."""


class Settling:
    """Wakes one loop for tickets that the feed's thread settles: however many they are, the loop
    is woken once until it has looked.

    All wait equally long, so that one timer watches the one who has waited longest: a timer for
    each costs a small request more than all else that is done here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, deadline_s: float) -> None:
        self.loop, self._deadline_s = loop, deadline_s
        self._until_s: dict[asyncio.Future[None], float] = {}  # in the order of their deadlines
        self._is_timed = False
        self._settled: deque[asyncio.Future[None]] = deque()
        self._is_scheduled = False

    async def wait(self, accepted: Accepted) -> None:
        """Return when the fate of every row is known, or at the deadline."""
        future: asyncio.Future[None] = self.loop.create_future()
        accepted.add_done_callback(partial(self._notify, future))
        self._until_s[future] = until_s = self.loop.time() + self._deadline_s
        if not self._is_timed:
            self._is_timed = True
            self.loop.call_at(until_s, self._expire)
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

    def _notify(self, future: asyncio.Future[None]) -> None:
        # First append, then look at the flag: _drain clears the flag before it empties the queue,
        # so that nothing is left behind unseen.
        self._settled.append(future)
        if not self._is_scheduled:
            self._is_scheduled = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
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

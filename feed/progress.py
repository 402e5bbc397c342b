"""Waits, in an asyncio process, until a group has passed given positions: `ack=stored` and
`ack=projected`."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from feed.backends import get_feed
from feed.errors import FeedError
from feed.ports import Feed, FeedReader, TopicPartition
from feed.topics import Topic

SLICE_S = 0.025
"""One look at topic `changes`: also how long a new waiter waits for its first look at most."""
REREAD_S = 0.1
"""Committed positions are read this often while anyone waits, whether or not something was
announced: a lost announcement costs this and nothing else."""
LINGER_S = 2.0
"""The thread outlives its last waiter by this, so that a busy process does not start one a
request."""
MAX_ANNOUNCEMENTS = 1_000
GRACE_S = 1.0
"""How long past its time limit a waiter trusts the thread to answer."""

logger = logging.getLogger(__name__)
Committed = Mapping[tuple[str, str], Mapping[int, int]]
"""Positions by (group, topic), then partition."""


@dataclass(eq=False, slots=True)
class _Waiter:
    group: str
    offsets: Mapping[TopicPartition, int]
    deadline_s: float
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[bool]"
    is_new: bool = True

    def pairs(self) -> set[tuple[str, str]]:
        return {(self.group, topic) for topic, _ in self.offsets}

    def has_passed(self, committed: Committed) -> bool:
        return all(
            committed.get((self.group, topic), {}).get(partition, 0) > offset
            for (topic, partition), offset in self.offsets.items()
        )


class ProgressWatcher:
    """Many waiters, one thread, which runs only while someone waits.

    Woken by topic `changes`; what it answers is always read from the feed's committed positions.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._came = threading.Condition()
        self._waiters: set[_Waiter] = set()
        self._thread: threading.Thread | None = None
        self._is_ending = False

    def hurry(self) -> None:
        """The process is about to end: whoever waits, or comes, is answered at once with what has
        been reached."""
        with self._came:
            self._is_ending = True
            for waiter in self._waiters:
                waiter.deadline_s = time.monotonic()
            self._came.notify()

    async def wait_passed(
        self, group: str, positions: Mapping[TopicPartition, int], *, timeout_s: float
    ) -> bool:
        """True as soon as the group has handled the record at each of these offsets; False when it
        has not within `timeout_s`, as read once more at that moment."""
        loop = asyncio.get_running_loop()
        deadline_s = time.monotonic() + (0.0 if self._is_ending else timeout_s)
        waiter = _Waiter(str(group), positions, deadline_s, loop, loop.create_future())
        self._add(waiter)
        try:
            return await asyncio.wait_for(waiter.future, timeout_s + GRACE_S)
        except TimeoutError:
            return False
        finally:
            self._drop([waiter])

    def _add(self, waiter: _Waiter) -> None:
        with self._came:
            self._waiters.add(waiter)
            self._came.notify()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._watch, name="feed-progress", daemon=True
                )
                self._thread.start()

    def _drop(self, waiters: Iterable[_Waiter]) -> None:
        with self._came:
            self._waiters.difference_update(waiters)

    # -- on the thread --

    def _watch(self) -> None:
        alarm = _Alarm(self._feed)
        try:
            self._answer_as_they_pass(alarm)
        except Exception:
            logger.exception(
                "watching progress failed: waiters are answered with what was reached",
                extra={"action": "progress_failed"},
            )
            with self._came:
                waiters, self._waiters, self._thread = self._waiters, set(), None
            _tell(dict.fromkeys(waiters, False))
        finally:
            alarm.close()

    def _answer_as_they_pass(self, alarm: "_Alarm") -> None:
        read_s, was_woken = float("-inf"), False
        while waiters := self._wait_for_waiters():
            now_s = time.monotonic()
            if was_woken or now_s - read_s >= REREAD_S or _is_any_due(waiters, now_s):
                read_s = now_s
                self._answer(waiters, now_s=now_s)
            was_woken = alarm.wait()

    def _wait_for_waiters(self) -> list[_Waiter]:
        """All there are; none after a while without any: the thread ends, the next waiter starts
        another."""
        with self._came:
            if not self._waiters:
                self._came.wait(LINGER_S)
            if not self._waiters:
                self._thread = None
            return list(self._waiters)

    def _answer(self, waiters: Sequence[_Waiter], *, now_s: float) -> None:
        committed = self._read(waiters)
        verdicts: dict[_Waiter, bool] = {}
        for waiter in waiters:
            waiter.is_new = False
            if waiter.has_passed(committed):
                verdicts[waiter] = True
            elif waiter.deadline_s <= now_s:
                verdicts[waiter] = False
        self._drop(verdicts)
        _tell(verdicts)

    def _read(self, waiters: Sequence[_Waiter]) -> Committed:
        """Read after the deadlines were looked at: whoever is told False was read for once more."""
        pairs = set().union(*(waiter.pairs() for waiter in waiters))
        try:
            return {(group, topic): self._positions(group, topic) for group, topic in pairs}
        except FeedError:
            return {}  # not known now: read again soon, a waiter at its limit gets a lower level

    def _positions(self, group: str, topic: str) -> Mapping[int, int]:
        committed = self._feed.committed(group, topic)
        return {partition: held.position for partition, held in committed.items()}


def _is_any_due(waiters: Iterable[_Waiter], now_s: float) -> bool:
    return any(waiter.is_new or waiter.deadline_s <= now_s for waiter in waiters)


def _tell(verdicts: Mapping[_Waiter, bool]) -> None:
    """Set the futures, each on its own loop: one wake-up a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiter, bool]]] = {}
    for waiter, has_passed in verdicts.items():
        by_loop.setdefault(waiter.loop, []).append((waiter, has_passed))
    for loop, answered in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, answered)


def _settle(answered: Sequence[tuple[_Waiter, bool]]) -> None:
    for waiter, has_passed in answered:
        if not waiter.future.done():
            waiter.future.set_result(has_passed)


class _Alarm:
    """Rings when something is announced on topic `changes`; silent while the feed is away."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._reader: FeedReader | None = None

    def wait(self) -> bool:
        """Whether anything was announced, waiting up to SLICE_S for it."""
        try:
            if self._reader is None:
                self._reader = self._feed.reader(Topic.CHANGES)
            return bool(self._reader.poll(MAX_ANNOUNCEMENTS, timeout_s=SLICE_S))
        except FeedError:
            self.close()
            time.sleep(SLICE_S)
            return False

    def close(self) -> None:
        """Free the reader."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


_process_wide: tuple[int, Feed, ProgressWatcher] | None = None
_making = threading.Lock()


def hurry_progress() -> None:
    """The same for this process's watcher, if it has one."""
    if _process_wide is not None:
        _process_wide[2].hurry()


def get_progress() -> ProgressWatcher:
    """This process's watcher, on this process's feed; a forked child, and a feed opened anew, get
    another."""
    global _process_wide
    pid, feed = os.getpid(), get_feed()
    with _making:
        if _process_wide is None or _process_wide[:2] != (pid, feed):
            _process_wide = (pid, feed, ProgressWatcher(feed))
        return _process_wide[2]

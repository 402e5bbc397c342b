"""The one bridge from the event loop to the stores: a bounded pool of threads, and a bounded queue
before it. Everything that blocks on behalf of a query runs here and nowhere else.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from django.db import close_old_connections

from timeseries.errors import QueryTimeout, SeriesBackpressure

T = TypeVar("T")
THREADS = 8
MOST_UNFINISHED = 64
"""Queries running and waiting in one process; the next is told to come again."""
GRACE_S = 2.0
"""A store stops by itself at its time limit; the answer waits so much longer for it to say so."""


class QueriesFull(SeriesBackpressure):
    """Too many queries are under way in this process: ask again in a second."""


class QueryThreads:
    """Runs blocking work for the doors, so many at once."""

    def __init__(self, threads: int = THREADS, most_unfinished: int = MOST_UNFINISHED) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._room = threading.BoundedSemaphore(most_unfinished)

    async def run(self, work: Callable[[float], T], *, timeout_s: float) -> T:
        """What `work(seconds left)` returns. Raises what it raises, QueriesFull, and QueryTimeout
        when it has not returned in time: a thread cannot be stopped, its place stays taken until
        it ends."""
        if not self._room.acquire(blocking=False):
            raise QueriesFull(retry_after_s=1.0)
        ends_s = time.monotonic() + timeout_s
        future = self._pool.submit(_run, work, ends_s)
        future.add_done_callback(self._leave)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), timeout_s + GRACE_S)
        except TimeoutError as exc:
            raise QueryTimeout from exc

    def _leave(self, _future: "Future[T]") -> None:
        self._room.release()

    def close(self) -> None:
        """Take no more work and wait for what runs."""
        self._pool.shutdown(cancel_futures=True)


def _run(work: Callable[[float], T], ends_s: float) -> T:
    left_s = ends_s - time.monotonic()
    if left_s <= 0:
        raise QueryTimeout
    try:
        return work(left_s)
    finally:
        close_old_connections()


@cache
def get_query_threads() -> QueryThreads:
    """This process's pool, made at first use and so after any fork."""
    return QueryThreads()

"""A ticket: what became of the records of one `publish`, told record by record, once, from any
thread."""

import threading
from collections.abc import Callable, Sequence

import msgspec

from feed.errors import FeedError


class Logged(msgspec.Struct, frozen=True, gc=False):
    """The feed has the record, durably."""

    partition: int
    offset: int


Outcome = Logged | FeedError | None
"""None: not known yet. At a deadline that means `retry`: the record may or may not be in the
log."""


class Ticket:
    """Settled by an adapter's thread, or by one that takes the adapter's reports; awaited by an
    entry point. Callbacks run once, on the settling thread."""

    __slots__ = ("_callbacks", "_lock", "_open", "_outcomes")

    def __init__(self, count: int, *callbacks: Callable[[], None]) -> None:
        self._outcomes: list[Outcome] = [None] * count
        self._open = count
        self._lock = threading.Lock()
        self._callbacks = [*callbacks]

    def settle(self, index: int, outcome: Logged | FeedError) -> None:
        """Say what became of one record. The last one runs the callbacks."""
        with self._lock:
            if self._outcomes[index] is not None:
                return
            self._outcomes[index] = outcome
            self._open -= 1
            if self._open:
                return
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def settle_all(self, outcomes: Sequence[Logged | FeedError]) -> None:
        """Say what became of every record at once: one lock, one wake-up."""
        with self._lock:
            self._outcomes = list(outcomes)
            self._open = 0
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def add_done_callback(self, callback: Callable[[], None]) -> None:
        """Call when every record is settled; at once if that is so already."""
        with self._lock:
            if self._open:
                self._callbacks.append(callback)
                return
        callback()

    def is_settled(self) -> bool:
        """Whether every record's outcome is known."""
        return self._open == 0

    def outcomes(self) -> list[Outcome]:
        """One a record, in the order published; None where still unknown."""
        return self._outcomes.copy()

    def wait(self, *, timeout_s: float) -> bool:
        """Block until settled; False at the time limit. For workers and commands: the web awaits
        the callback."""
        settled = threading.Event()
        self.add_done_callback(settled.set)
        return settled.wait(timeout_s)

"""Keeps this process's snapshot of the keys fresh from a thread of its own, so that no request
ever waits for the database."""

import logging
import os
import threading
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, connection

from access.keys import KeySnapshot
from access.refusals import keys_not_loaded

PERIOD_S = 1.0  # new and revoked keys take effect within 5 s, also when one poll fails
FIRST_LOAD_WAIT_S = 2.0
STOP_WAIT_S = 5.0
logger = logging.getLogger(__name__)

Load = Callable[[str | None], KeySnapshot | None]
"""Gives a newer snapshot than the one whose stamp is given, or None when there is none."""


class KeyRing:
    """The latest snapshot; thread-safe, and good in a forked child, which starts a thread of its
    own."""

    def __init__(self, load: Load, *, period_s: float = PERIOD_S) -> None:
        self._load = load
        self._period_s = period_s
        self._latest: KeySnapshot | None = None
        self._is_failing = False
        self._forget_thread()

    def _forget_thread(self) -> None:
        self._owner_pid = 0
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()
        self._first_load = threading.Event()

    def snapshot(self) -> KeySnapshot:
        """The keys as of at most a few seconds ago; older while the database does not answer.

        Starts the thread if need be. Raises Problem 503 while nothing was ever loaded.
        """
        if self._owner_pid != os.getpid():
            self.start()
        if self._latest is None:
            raise keys_not_loaded()
        return self._latest

    def start(self) -> None:
        """Start to follow the database. Waits once, briefly, for the first load."""
        if self._owner_pid not in (0, os.getpid()):
            self._forget_thread()  # a forked child has its parent's objects, but no thread
        with self._starting:
            if self._thread is None:
                self._stopping = threading.Event()
                self._thread = threading.Thread(
                    target=self._follow, args=(self._stopping,), name="key-ring", daemon=True
                )
                self._thread.start()
        self._first_load.wait(FIRST_LOAD_WAIT_S)
        self._owner_pid = os.getpid()

    def stop(self) -> None:
        """End the thread and its database connection."""
        with self._starting:
            thread, self._thread, self._owner_pid = self._thread, None, 0
            self._stopping.set()
            self._first_load.clear()
        if thread is not None:
            thread.join(STOP_WAIT_S)

    def refresh(self) -> None:
        """One step: take over what changed. Raises what the database raises; the keys stay."""
        known = None if self._latest is None else self._latest.stamp
        newer = self._load(known)
        if newer is not None:
            self._latest = newer

    def _follow(self, stopping: threading.Event) -> None:
        try:
            while not stopping.is_set():
                self._step()
                self._first_load.set()
                stopping.wait(self._period_s)
        finally:
            connection.close()

    def _step(self) -> None:
        # Whatever fails here must not end the thread: with it revocations would stop to arrive.
        try:
            self.refresh()
        except Exception as exc:
            self._note_failed(exc)
            connection.close()
        else:
            self._note_refreshed()

    def _note_failed(self, fault: Exception) -> None:
        """Said once, not every second of an outage."""
        if not self._is_failing:
            logger.warning(
                "keys not refreshed: the last ones stay in force (%s)",
                " ".join(str(fault).split()),
                extra={"action": "keys_not_refreshed"},
                exc_info=None if isinstance(fault, DatabaseError | InterfaceError) else fault,
            )
        self._is_failing = True

    def _note_refreshed(self) -> None:
        if self._is_failing:
            logger.info("keys refreshed again", extra={"action": "keys_refreshed"})
        self._is_failing = False

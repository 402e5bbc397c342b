"""From a settings entry to an adapter: loaded by dotted path, once a process, made after fork."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

from feed.ports import Feed

T = TypeVar("T")
Opener = Callable[[str, Mapping[str, str], Path], T]
"""An adapter's factory: (url, options, data_dir) -> adapter. Connects to nothing."""


class Backend(Generic[T]):
    """One adapter a process, opened at first use; a forked child opens its own."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._lock = threading.Lock()
        self._pid = 0
        self._opened: T | None = None

    def get(self) -> T:
        """The adapter that the settings name. Raises ImportError naming the extra when a driver is
        missing."""
        if self._opened is None or self._pid != os.getpid():
            with self._lock:
                if self._opened is None or self._pid != os.getpid():
                    self._opened, self._pid = self.open_own(), os.getpid()
        return self._opened

    def open_own(self) -> T:
        """A new handle, for a caller that closes it itself. Raises as `get`."""
        entry: Mapping[str, Any] = getattr(settings, self._setting)
        opener: Opener[T] = import_string(entry["BACKEND"])
        return opener(entry["URL"], entry["OPTIONS"], settings.DATA_DIR)

    def forget(self) -> None:
        """Open anew at the next `get`: for tests that change the settings, and after `close`."""
        with self._lock:
            self._opened = None


FEED: Backend[Feed] = Backend("FEED")


def get_feed() -> Feed:
    """This process's handle on the feed."""
    return FEED.get()

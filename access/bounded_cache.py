"""A small map that forgets what was put in first. Pure."""

from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class BoundedCache(Generic[V]):
    """At most `capacity` values by a digest; thread-safe. To look one up takes no lock and moves
    nothing: every request does it."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: dict[bytes, V] = {}
        self._lock = Lock()
        self.get = self._values.get
        """The value, or None."""

    def put(self, key: bytes, value: V) -> None:
        """Keep the value; the one put in first goes when there are too many."""
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = value
            if len(self._values) > self._capacity:
                del self._values[next(iter(self._values))]

    def __len__(self) -> int:
        return len(self._values)

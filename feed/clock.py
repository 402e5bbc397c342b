"""The clocks that loops read: one value, so that a test can hold time still."""

import time
from collections.abc import Callable
from dataclasses import dataclass


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic_s` for durations, `now_ms` for times that leave the process."""

    monotonic_s: Callable[[], float] = time.monotonic
    now_ms: Callable[[], int] = _wall_ms

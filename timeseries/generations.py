"""Which generations of the view are written, and which one is served: rows of the Django database,
read about once a second."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from timeseries.models import Generation, ServedGeneration

KEPT_S = 1.0
"""How long an answer is used before the rows are read again: a swap takes effect within it."""


@dataclass(frozen=True, slots=True)
class Generations:
    """The rows as they were at one moment. `building` is the one that is being built, if any; it
    is written, too."""

    served: int
    written: tuple[int, ...]
    building: int | None = None


class GenerationReader:
    """Reads the rows and keeps them for KEPT_S. Thread-safe."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._kept: Generations | None = None
        self._until_s = 0.0

    def current(self) -> Generations:
        """The rows, at most KEPT_S old."""
        with self._lock:
            if self._kept is None or self._monotonic_s() >= self._until_s:
                until_s = self._monotonic_s() + KEPT_S
                self._kept, self._until_s = read_generations(), until_s
            return self._kept

    def forget(self) -> None:
        """Read anew at the next call."""
        with self._lock:
            self._kept = None


def read_generations() -> Generations:
    """The rows now. The first generation is made by the migrations."""
    states = dict(
        Generation.objects.exclude(state=Generation.State.DROPPED)
        .order_by("number")
        .values_list("number", "state")
    )
    building = [number for number, state in states.items() if state == Generation.State.BUILDING]
    served = ServedGeneration.objects.get(pk=ServedGeneration.ONLY)
    return Generations(served.generation_id, tuple(states), building[0] if building else None)


READER = GenerationReader()


def served_generation() -> int:
    """The generation that queries read."""
    return READER.current().served


def written_generations() -> tuple[int, ...]:
    """Every generation that live events are written to, ascending."""
    return READER.current().written

"""Fakes of the one thing that a test must hold still: time."""

from dataclasses import dataclass, field

from feed.clock import Clock
from tests.builders import NOON_MS


@dataclass
class FakeClock:
    """Time that moves when told to. `clock` is what the code under test takes."""

    elapsed_s: float = 0.0
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(
            monotonic_s=lambda: self.elapsed_s,
            now_ms=lambda: NOON_MS + round(self.elapsed_s * 1000),
        )

    def move(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.elapsed_s += seconds

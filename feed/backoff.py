"""How long to wait before the next attempt: doubling, capped, with jitter, so that the members of
a group do not come back in step."""

import random
from collections.abc import Callable

_CHANCE = random.SystemRandom().random
_JITTER = 0.5
"""The share of a delay that chance may take off."""


class Backoff:
    """Delays of one series of failures; `reset` when something went well."""

    def __init__(
        self,
        *,
        first_s: float,
        cap_s: float,
        chance: Callable[[], float] = _CHANCE,
    ) -> None:
        self._first_s, self._cap_s, self._chance = first_s, cap_s, chance
        self._failures = 0

    def next_s(self, *, at_least_s: float = 0.0) -> float:
        """Seconds to wait now: between half and the whole of first x 2^failures, at most the cap,
        but never less than the other side asked for."""
        whole = min(self._cap_s, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return max(at_least_s, whole * (1 - _JITTER * self._chance()))

    def reset(self) -> None:
        """The next delay is the first one again."""
        self._failures = 0

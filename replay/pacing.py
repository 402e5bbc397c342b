"""How fast a replay may go, and what holds it back. Pure: times are passed in, in monotonic
seconds."""

from replay.domain import Rate, Throttle

BURST_S = 0.25
"""What was not used is kept so long: a slice of a page, not a second's worth at once."""
LEAST_S = 0.05
"""Not less than so much at a time, or a fast replay would go in drops."""
AHEAD_S = 30.0
"""Emission runs at most so much of the projector's work ahead of it."""
FIRST_AHEAD = 20_000
"""Events ahead while it is not known how fast they are projected."""
SLOW_ABOVE_S = 1.0
FAST_BELOW_S = 0.5
"""Live lag: above the first the replay gets half as fast, below the second a quarter faster, each
second; between them it stays as it is."""
FLOOR_EPS = 100.0
"""Never slower for the sake of live: a replay that stands still would never end."""
FIRST_EPS = 10_000.0
"""Where the automatic rate begins."""
FASTEST_EPS = 1_000_000.0
_MEMORY_S = 10.0


class MovingRate:
    """Events a second of a count that grows, over about the last ten seconds."""

    def __init__(self) -> None:
        self.eps = 0.0
        self._last: tuple[float, int] | None = None

    def note(self, count: int, *, now_s: float) -> None:
        """The count now."""
        if self._last is None:
            self._last = now_s, count
            return
        seconds = now_s - self._last[0]
        if seconds <= 0:
            return
        latest, weight = (count - self._last[1]) / seconds, min(1.0, seconds / _MEMORY_S)
        self.eps = latest if self.eps == 0.0 else self.eps + (latest - self.eps) * weight
        self._last = now_s, count


class Pace:
    """The limits in force on one replay. Used from one thread."""

    def __init__(self, rate: Rate, *, now_s: float) -> None:
        self._rate, self._at_s = rate, now_s
        self._auto_eps = min(FIRST_EPS, rate.max_eps or FIRST_EPS)
        self._saved = 0.0
        self._is_live_behind = False
        self._projection = MovingRate()
        self._ahead = 0
        self._is_followed = True

    def take_up(self, rate: Rate, *, now_s: float) -> None:
        """Go on at the speed that live events allowed, after a pause of any length."""
        self._rate, self._at_s, self._saved = rate, now_s, 0.0

    def change(self, rate: Rate) -> None:
        """The rate was changed by hand."""
        self._rate = rate

    def note_live_lag(self, lag_s: float, *, seconds: float) -> None:
        """The oldest live event waits for `lag_s`, `seconds` after the last look."""
        self._is_live_behind = lag_s > SLOW_ABOVE_S
        if self._is_live_behind:
            self._auto_eps = max(FLOOR_EPS, self._auto_eps * 0.5**seconds)
        elif lag_s < FAST_BELOW_S:
            self._auto_eps = min(self._most_eps(), self._auto_eps * 1.25**seconds)

    def note_projected(self, *, emitted: int, projected: int, now_s: float) -> None:
        """How far emission and projection have come."""
        self._projection.note(projected, now_s=now_s)
        self._ahead = emitted - projected
        self._is_followed = True

    def note_unfollowed(self) -> None:
        """Nobody projects, and nobody is to be waited for: there is nothing to run ahead of."""
        self._is_followed = False

    def allowed(self, wanted: int, *, now_s: float) -> int:
        """How many of `wanted` events may be emitted now; `took` says how many were. 0: ask again
        soon."""
        if self._is_too_far_ahead():
            self._at_s = now_s
            return 0
        eps = self._eps()
        self._saved = min(max(1.0, eps * BURST_S), self._saved + (now_s - self._at_s) * eps)
        self._at_s = now_s
        least = min(wanted, max(1, int(eps * LEAST_S)))
        return min(wanted, int(self._saved)) if self._saved >= least else 0

    def took(self, count: int) -> None:
        """So many were emitted."""
        self._saved -= count
        self._ahead += count

    def throttle(self) -> Throttle:
        """What holds back an emission that is not allowed now."""
        if self._is_too_far_ahead():
            return Throttle.PROJECTION
        is_auto_slower = self._rate.auto and self._auto_eps < self._most_eps()
        return Throttle.LIVE_LAG if is_auto_slower else Throttle.RATE

    def _is_too_far_ahead(self) -> bool:
        return self._is_followed and self._ahead >= max(FIRST_AHEAD, AHEAD_S * self._projection.eps)

    def _eps(self) -> float:
        most_eps = self._most_eps()
        return min(self._auto_eps, most_eps) if self._rate.auto else most_eps

    def _most_eps(self) -> float:
        return float(self._rate.max_eps or FASTEST_EPS)

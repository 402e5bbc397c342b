"""Whose turn it is, live or history: live first, yet history never starves. Pure: times are
passed in."""

from dataclasses import dataclass

LIVE_LAG_LIMIT_S = 1.0
"""Above this history gets its floor only; below it the lanes take turns while both have work."""
FLOOR_BATCHES = 10
"""History gets at least one batch for so many live ones: a tenth of the work at most is taken
from live when live is behind."""
FLOOR_INTERVAL_S = 2.0
"""History gets a turn at least this often, which also keeps its membership alive."""

HISTORY_TURN_S = 0.5
"""What a turn of history is meant to take while live has work: live waits for it, so on a store
that is slow or strained it takes fewer records."""
FEWEST_RECORDS = 1_000
"""A turn takes no fewer: what it costs however small it is would be most of it."""
MOST_CHANGE = 2
"""One turn alone, which a pause of the store may have stretched, makes the next one smaller by this
factor at most, and larger than itself by no more."""

PROBE_INTERVAL_S = 0.25
"""An empty history is looked at this often, however fast live turns."""


@dataclass(slots=True)
class LaneSchedule:
    """What the lanes did lately. One per process. `most_records`: of a turn of history."""

    most_records: int = FEWEST_RECORDS
    live_lag_s: float = 0.0
    live_has_more: bool = False
    history_has_more: bool = False
    history_at_s: float = float("-inf")
    live_batches: int = 0
    was_live: bool = False
    fitting_records: int = FEWEST_RECORDS

    def note_live(self, *, records: int, lag_s: float) -> None:
        """Live had its turn: it took `records`, the oldest of which had waited `lag_s`."""
        self.was_live = True
        self.live_has_more = records > 0
        self.live_lag_s = lag_s
        self.live_batches += records > 0

    def note_history(self, *, records: int, committed: int, started_s: float, now_s: float) -> None:
        """History had its turn: it took `records`, and got `committed` of them done."""
        if committed:
            self._learn(committed, now_s - started_s)
        self.was_live = False
        self.history_has_more = records > 0
        self.history_at_s = now_s
        self.live_batches = 0

    def is_history_next(self, *, now_s: float) -> bool:
        """True when the next turn is history's; never twice in a row, so that live waits for one
        batch of history at most."""
        waited_s = now_s - self.history_at_s
        if not self.was_live or (not self.history_has_more and waited_s < PROBE_INTERVAL_S):
            return False
        return self.is_live_quiet() or self._is_floor_due(waited_s)

    def history_records(self) -> int:
        """How many records history's next turn may take: the most while live has no work, else what
        HISTORY_TURN_S has room for."""
        if not self.live_has_more:
            return self.most_records
        return min(self.most_records, self.fitting_records)

    def is_live_quiet(self) -> bool:
        """Whether live leaves capacity: nothing pending, or a lag under the limit."""
        return not self.live_has_more or self.live_lag_s < LIVE_LAG_LIMIT_S

    def _is_floor_due(self, waited_s: float) -> bool:
        return self.live_batches >= FLOOR_BATCHES or waited_s >= FLOOR_INTERVAL_S

    def _learn(self, records: int, seconds: float) -> None:
        """A quick turn that found few says nothing against a larger one."""
        fitting = int(records * min(HISTORY_TURN_S / max(seconds, 1e-3), MOST_CHANGE))
        if seconds > HISTORY_TURN_S:
            least = max(FEWEST_RECORDS, self.fitting_records // MOST_CHANGE)
            self.fitting_records = max(fitting, least)
        else:
            self.fitting_records = min(max(fitting, self.fitting_records), self.most_records)

"""What a partition's last samples say about its reader: a state word, and when it will be through.

Pure. The rules are Burrow's, over positions and ends alone: no thresholds on lag, which differ from
one pipeline to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

STALLED_AFTER_S = 12.0  # unmoved this long with records to read: three samples and a bit
STOPPED_AFTER_S = 60.0  # a member that has not committed for this long has stopped in all but name
SMALL_LAG_S = 5.0  # records younger than this are in the hands of a reader that keeps up


class State(StrEnum):
    """How a group stands in a partition. OK and CATCHING_UP need nobody's attention."""

    OK = "ok"
    CATCHING_UP = "catching_up"
    FALLING_BEHIND = "falling_behind"
    STALLED = "stalled"
    STOPPED = "stopped"
    NO_CONSUMER = "no_consumer"
    DATA_LOSS = "data_loss"
    UNKNOWN = "unknown"


GOOD = frozenset({State.OK, State.CATCHING_UP})


@dataclass(frozen=True, slots=True)
class Sample:
    """A partition at one moment: the log's end and the group's position (0 if it has none)."""

    at_ms: int
    position: int
    end: int

    @property
    def lag(self) -> int:
        """Records not yet handled."""
        return max(0, self.end - self.position)


@dataclass(frozen=True, slots=True)
class Now:
    """What is known at this moment beside the samples.

    `start` is the offset of the oldest record kept; `committed` the group's position, None if it
    never committed; `lag_seconds` the age of the oldest record not handled, 0 without lag.
    """

    start: int
    committed: int | None
    lag_seconds: float
    has_member: bool


def state_of(now: Now, samples: Sequence[Sample]) -> State:
    """The state, from the samples oldest first; the last one is of this moment."""
    if _lost_data(now):
        return State.DATA_LOSS
    if not now.has_member:
        return State.NO_CONSUMER
    if samples[-1].lag == 0:
        return State.OK
    unmoved_s = _unmoved_s(samples)
    if unmoved_s >= STOPPED_AFTER_S:
        return State.STOPPED
    if unmoved_s >= STALLED_AFTER_S:
        return State.STALLED
    return _moving(now, samples)


def _lost_data(now: Now) -> bool:
    return now.start > (now.committed or 0)


def _unmoved_s(samples: Sequence[Sample]) -> float:
    """For how long the position has stood still with records before it."""
    last = samples[-1]
    since_ms = last.at_ms
    for sample in reversed(samples):
        if sample.position != last.position or sample.lag == 0:
            break
        since_ms = sample.at_ms
    return (last.at_ms - since_ms) / 1000


def _moving(now: Now, samples: Sequence[Sample]) -> State:
    if now.lag_seconds <= SMALL_LAG_S:
        return State.OK
    lags = [sample.lag for sample in samples]
    rising = all(later > earlier for earlier, later in zip(lags, lags[1:], strict=False))
    return State.FALLING_BEHIND if rising and len(lags) > 2 else State.CATCHING_UP


def drains_in_s(samples: Sequence[Sample]) -> float | None:
    """Seconds until the lag is 0 at the rates between the first and the last sample; None when it
    is not shrinking or too little is known."""
    first, last = samples[0], samples[-1]
    if last.lag == 0:
        return 0.0
    seconds = (last.at_ms - first.at_ms) / 1000
    shrunk = (last.position - first.position) - (last.end - first.end)
    if seconds <= 0 or shrunk <= 0:
        return None
    return round(last.lag * seconds / shrunk, 1)


def worst(states: Sequence[State]) -> State:
    """The state that asks most for attention; OK of none."""
    order = list(_BY_URGENCY)
    return max(states, key=order.index, default=State.OK)


_BY_URGENCY = (
    State.OK,
    State.CATCHING_UP,
    State.FALLING_BEHIND,
    State.NO_CONSUMER,
    State.STALLED,
    State.STOPPED,
    State.UNKNOWN,
    State.DATA_LOSS,
)

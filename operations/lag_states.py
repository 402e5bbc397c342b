"""What a partition's last samples say about its reader: a state word, and when it will be through.

Pure. The rules are Burrow's, over positions and times alone: no thresholds on records, which differ
from one pipeline to the next.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from feed.lag import PartitionLag

OK_LAG_S = 5.0  # a record that has waited no longer is in the hands of a reader that keeps up
STALLED_AFTER_S = 12.0  # unmoved this long with records to read: more than two samples apart
STOPPED_AFTER_S = 60.0  # a member that has not committed for this long has stopped in all but name


class LagState(StrEnum):
    """How a group stands in a partition. OK and CATCHING_UP need nobody's attention."""

    OK = "ok"
    CATCHING_UP = "catching_up"
    FALLING_BEHIND = "falling_behind"
    STALLED = "stalled"
    STOPPED = "stopped"
    NO_CONSUMER = "no_consumer"
    DATA_LOSS = "data_loss"
    UNKNOWN = "unknown"


_BY_URGENCY = (
    LagState.OK,
    LagState.CATCHING_UP,
    LagState.UNKNOWN,
    LagState.FALLING_BEHIND,
    LagState.STALLED,
    LagState.STOPPED,
    LagState.NO_CONSUMER,
    LagState.DATA_LOSS,
)


class Sample(NamedTuple):
    """A group's standing in one partition at one moment."""

    at_ms: int
    lag: PartitionLag


def state_of(samples: Sequence[Sample], *, has_members: bool) -> LagState:
    """The word for a partition, from its samples, oldest first (the last is of this moment), and
    whether its group has active members.

    Records deleted unread: data_loss. Nobody reads: no_consumer, whatever the lag. Nothing waits
    long: ok. Records wait and the position has not moved: stalled, later stopped. Lag that rose at
    every step of at least three: falling_behind. Else catching_up.
    """
    last = samples[-1].lag
    if last.start > (last.committed or 0):
        return LagState.DATA_LOSS
    if not has_members:
        return LagState.NO_CONSUMER
    if last.lag_seconds <= OK_LAG_S:
        return LagState.OK
    unmoved_s = _unmoved_s(samples)
    if unmoved_s >= STALLED_AFTER_S:
        return LagState.STOPPED if unmoved_s >= STOPPED_AFTER_S else LagState.STALLED
    return LagState.FALLING_BEHIND if _rises(samples) else LagState.CATCHING_UP


def _unmoved_s(samples: Sequence[Sample]) -> float:
    """For how long the position has stood still with records before it."""
    last = samples[-1]
    since_ms = last.at_ms
    for sample in reversed(samples):
        if sample.lag.committed != last.lag.committed or sample.lag.lag == 0:
            break
        since_ms = sample.at_ms
    return (last.at_ms - since_ms) / 1000


def _rises(samples: Sequence[Sample]) -> bool:
    lags = [sample.lag.lag for sample in samples]
    return len(lags) >= 3 and all(
        after > before for before, after in zip(lags, lags[1:], strict=False)
    )


def drains_in_s(samples: Sequence[Sample]) -> float | None:
    """Seconds until the lag is 0 at the rate between the first and the last sample; None when it
    is not shrinking or too little is known."""
    first, last = samples[0], samples[-1]
    if last.lag.lag == 0:
        return 0.0
    seconds = (last.at_ms - first.at_ms) / 1000
    shrunk = first.lag.lag - last.lag.lag
    if seconds <= 0 or shrunk <= 0:
        return None
    return round(last.lag.lag * seconds / shrunk, 1)


def worst(states: Sequence[LagState]) -> LagState:
    """The state that asks most for attention; OK of none."""
    return max(states, key=_BY_URGENCY.index, default=LagState.OK)

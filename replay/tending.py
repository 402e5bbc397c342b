"""What a replayer does between two records: it keeps its lease, saves how far it is, hears what
people want, and looks at what its work does to others."""

import threading
import time
from collections.abc import Callable

from feed.clock import Clock
from feed.crash_points import reach
from feed.lag import partition_lags
from feed.ports import Feed
from feed.topics import Group, Topic
from replay import leases
from replay.domain import State, Throttle
from replay.leases import Lease
from replay.models import Replay

SAVE_S = 0.5
"""A pause or a cancellation is heard within this, and a crash repeats no more than this."""
LOOK_S = 1.0
NAP_S = 0.05
SLICE_S = 10.0
"""Then a replay gives way to one that waits: a small repair never waits behind a huge rebuild."""
HELD_SHARE = 0.1
"""What held a replay back for a smaller share of the time is not worth telling."""


class Interrupted(Exception):
    """The replay is to stop here: paused, cancelled, another's turn, or the process ends."""


class Unattended(Exception):
    """It waits for workers that do not run, and that were not to be waited for."""

    def __init__(self, cause: Throttle) -> None:
        super().__init__(cause.value)
        self.cause = cause


class Tending:
    """Keeps one lease. `columns` gives what is saved, `heard` gets the row as saved, `look` is
    called about once a second; all on the calling thread."""

    def __init__(
        self,
        lease: Lease,
        state: State,
        *,
        stop: threading.Event,
        clock: Clock,
        columns: Callable[[], dict[str, object]] = dict,
        heard: Callable[[Replay], object] = lambda row: None,
        look: Callable[[float], object] = lambda seconds: None,
        others: Callable[[], object] = lambda: None,
        gives_way: bool = False,
    ) -> None:
        """`others` is called about once a second, too, for replays that nobody holds.
        `gives_way`: what is done is not lost when another replay gets its turn."""
        self._lease, self._state, self._stop, self._clock = lease, state, stop, clock
        self._columns, self._heard, self._look = columns, heard, look
        self._others, self._gives_way = others, gives_way
        self._began_s = self._saved_s = self._looked_s = clock.monotonic_s()

    def tick(self) -> None:
        """Do what is due. Raises Interrupted, LeaseLost."""
        if self._stop.is_set():
            raise Interrupted
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s >= LOOK_S:
            seconds, self._looked_s = now_s - self._looked_s, now_s
            self._others()
            self._look(seconds)
        if now_s - self._saved_s >= SAVE_S:
            self._save()

    def _save(self) -> None:
        reach("replay.before_save")
        row = leases.save(self._lease, now_ms=self._clock.now_ms(), **self._columns())
        reach("replay.after_save")
        self._saved_s = self._clock.monotonic_s()
        self._heard(row)
        if row.state != self._state.value or self._is_anothers_turn():
            raise Interrupted

    def _is_anothers_turn(self) -> bool:
        is_over = self._gives_way and self._saved_s - self._began_s >= SLICE_S
        return is_over and leases.others_wait(self._lease, now_ms=self._clock.now_ms())

    def nap(self, seconds: float = NAP_S) -> None:
        """Sleep, but tick. Raises as `tick`."""
        until_s = self._clock.monotonic_s() + seconds
        self.tick()
        while (left_s := until_s - self._clock.monotonic_s()) > 0:
            self._stop.wait(min(left_s, SAVE_S / 2))
            self.tick()


class Held:
    """What held the replay back since the last time this was told."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._since_s = monotonic_s()
        self._seconds: dict[Throttle, float] = {}

    def note(self, cause: Throttle, seconds: float) -> None:
        """It waited so long."""
        self._seconds[cause] = self._seconds.get(cause, 0.0) + seconds

    def tell(self) -> str:
        """The cause it waited for most, empty if it hardly waited; begins anew."""
        now_s = self._monotonic_s()
        past_s, self._since_s = now_s - self._since_s, now_s
        seconds, self._seconds = self._seconds, {}
        if not seconds:
            return ""
        cause = max(seconds, key=lambda each: seconds[each])
        return cause.value if seconds[cause] >= HELD_SHARE * past_s else ""


def live_lag_s(feed: Feed, *, now_ms: int) -> float:
    """How long the oldest live event waits for sink or projector. Raises FeedUnavailable."""
    return max(
        (
            lag.lag_seconds
            for group in (Group.PROJECTOR, Group.SINK)
            for lag in partition_lags(feed, group, Topic.EVENTS, now_ms=now_ms)
        ),
        default=0.0,
    )


def history_positions(feed: Feed) -> dict[int, int]:
    """Where the history group stands, by partition. Raises FeedUnavailable."""
    committed = feed.committed(Group.PROJECTOR_HISTORY, Topic.HISTORY)
    return {partition: held.position for partition, held in committed.items()}

"""Records that a replay emitted: how they say so, and which of them count for nothing.

Kafka cannot refuse the late record of a replayer that slept while another took its replay over.
So whoever takes over first writes down where topic history ends, and the readers drop what an
earlier epoch appends from there on; and all that is left of a cancelled replay.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db.models import Count

from feed.models import DroppedReplay, ReplayFence, ReplayRefusal
from feed.ports import Headers, Record

REPLAY_HEADER = "replay"
LANE_HEADER = "lane"
GENERATION_HEADER = "generation"
HISTORY_LANE = b"history"
KEPT_S = 1.0
"""How long an answer of the database is used. A record that comes through in the meantime is
projected once more, which changes nothing."""
MAX_REMEMBERED = 1_000
MOST_DIGITS = 18
NO_GENERATION = 0
"""They are numbered from 1."""


class Origin(NamedTuple):
    """Which replay emitted a record, in which of its epochs. `generation` is the one of the view
    that the record is for, alone; None for all that are written."""

    replay: str
    epoch: int
    generation: int | None = None

    def headers(self) -> Headers:
        """The headers of every record it emits."""
        headers: Headers = (
            (LANE_HEADER, HISTORY_LANE),
            (REPLAY_HEADER, f"{self.replay}:{self.epoch}".encode()),
        )
        if self.generation is None:
            return headers
        return (*headers, (GENERATION_HEADER, str(self.generation).encode()))


def origin_of(record: Record) -> Origin | None:
    """None for a record that no replay emitted. A generation that cannot be read is NO_GENERATION:
    such a record must not be taken for one that is for all."""
    found = dict(record.headers)
    replay, _, epoch = found.get(REPLAY_HEADER, b"").decode(errors="replace").partition(":")
    if not _is_number(epoch):
        return None
    target = found.get(GENERATION_HEADER)
    if target is None:
        return Origin(replay, int(epoch))
    number = target.decode(errors="replace")
    return Origin(replay, int(epoch), int(number) if _is_number(number) else NO_GENERATION)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS


@dataclass(frozen=True, slots=True)
class Fences:
    """What is known of one replay: `ends` by epoch, ascending, then partition."""

    is_dropped: bool = False
    ends: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    _epochs: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_epochs", sorted(self.ends))

    def drop(self, epoch: int, partition: int, offset: int) -> bool:
        """Whether a record of this epoch at this place counts for nothing. A log only grows: of all
        later epochs the next one's fence is the strictest."""
        if self.is_dropped:
            return True
        later = bisect_right(self._epochs, epoch)
        if later == len(self._epochs):
            return False
        return offset >= self.ends[self._epochs[later]].get(partition, 0)


class FenceReader:
    """Reads the rows and keeps them for KEPT_S. Used from one thread."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._known: dict[str, tuple[float, Fences]] = {}

    def drops(self, record: Record, origin: Origin) -> bool:
        """Whether the record counts for nothing. Raises django.db.Error."""
        fences = self._fences(origin.replay)
        return fences.drop(origin.epoch, record.partition, record.offset)

    def _fences(self, replay: str) -> Fences:
        now_s = self._monotonic_s()
        known = self._known.get(replay)
        if known is None or now_s >= known[0] + KEPT_S:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            known = self._known[replay] = now_s, read_fences(replay)
        return known[1]


def read_fences(replay: str) -> Fences:
    """What the rows say now."""
    return Fences(
        DroppedReplay.objects.filter(replay=replay).exists(),
        {
            row.epoch: {int(part): end for part, end in row.ends.items()}
            for row in ReplayFence.objects.filter(replay=replay)
        },
    )


def fence(origin: Origin, ends: Mapping[int, int]) -> None:
    """From now on earlier epochs of the replay count for nothing past these offsets. Call it
    before the epoch emits anything."""
    ReplayFence.objects.create(
        replay=origin.replay,
        epoch=origin.epoch,
        ends={str(part): end for part, end in ends.items()},
    )


def drop_replay(replay: str) -> None:
    """From now on no record of the replay counts."""
    DroppedReplay.objects.get_or_create(replay=replay)


def note_refusals(refused: Collection[tuple[Origin, bytes]]) -> None:
    """These events (by key) were refused for good; those noted before stay noted once."""
    rows = [ReplayRefusal(replay=origin.replay, key=key) for origin, key in refused]
    ReplayRefusal.objects.bulk_create(rows, ignore_conflicts=True)


def refused_keys(replay: str, keys: Collection[bytes]) -> set[bytes]:
    """Those of the keys whose events were refused when this replay emitted them."""
    found = ReplayRefusal.objects.filter(replay=replay, key__in=keys)
    return {bytes(key) for key in found.values_list("key", flat=True)}


def forget_refusals(replay: str) -> None:
    """It emits everything anew: what is refused then is noted anew."""
    ReplayRefusal.objects.filter(replay=replay).delete()


def count_refusals(replays: Collection[str]) -> dict[str, int]:
    """How many events of each replay were refused."""
    found = (
        ReplayRefusal.objects.filter(replay__in=replays)
        .values_list("replay")
        .annotate(Count("id"))
        .order_by()
    )
    return dict.fromkeys(replays, 0) | dict(found)

"""The handler of topic history: what a replay emitted, each record for the generations that it is
for, but for what counts for nothing any more."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from django.db import Error as DjangoDatabaseError
from django.db import close_old_connections

from feed import metrics
from feed.announcements import ChangedRange
from feed.deliveries import Delivery, Poison
from feed.errors import Backpressure
from feed.fences import FenceReader, note_refusals, origin_of
from feed.topics import Group
from timeseries.projector import DATABASE_RETRY_S, Projector
from timeseries.scanned_hours import ScannedHours


class HistoryProjector:
    """A Handler (feed.deliveries) around a projector of its own."""

    def __init__(self, projector: Projector, fences: FenceReader | None = None) -> None:
        self._projector = projector
        self._fences = fences or FenceReader()
        self._hours = ScannedHours()

    def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
        """Project the records that count. Raises Backpressure as the projector does, and while the
        database does not say which those are."""
        targeted = _Targeted(batch, self._fences)
        try:
            poison = self._projector.project(targeted.part_for)
            _note_refusals(poison)
        except DjangoDatabaseError as exc:
            close_old_connections()  # one that broke is opened anew
            raise Backpressure(
                f"the database does not take refusals now: {exc}", retry_after_s=DATABASE_RETRY_S
            ) from exc
        if dropped := targeted.dropped():
            metrics.REPLAY_RECORDS_DROPPED.labels(Group.PROJECTOR_HISTORY.value).inc(dropped)
        return poison

    def take_changes(self) -> Sequence[ChangedRange]:
        """The hours that the replays have gone on from: an open chart is woken once for each."""
        return self._hours.passed(self._projector.take_changes())


class _Targeted:
    """A batch taken apart by generation. Which ones it has records for is known after the first
    part was iterated: a generation without any costs no second look at the batch."""

    def __init__(self, batch: Iterable[Delivery], fences: FenceReader) -> None:
        self._batch, self._fences = batch, fences
        self._asked: set[int] = set()
        self._targets: Counter[int | None] | None = None
        self._fenced = 0

    def part_for(self, generation: int) -> "_Part | None":
        """The records that are for this generation; None when there are none for sure."""
        self._asked.add(generation)
        if self._targets is not None and not (self._targets.keys() & {None, generation}):
            return None
        return _Part(self, generation)

    def deliveries(self, generation: int) -> Iterator[Delivery]:
        """Those of a part, looked at when their turn comes, as the batch itself."""
        targets: Counter[int | None] = Counter()
        fenced = 0
        for delivery in self._batch:
            origin = origin_of(delivery.record)
            if origin is not None and self._fences.drops(delivery.record, origin):
                fenced += 1
                continue
            target = None if origin is None else origin.generation
            targets[target] += 1
            if target in (None, generation):
                yield delivery
        self._targets, self._fenced = targets, fenced

    def dropped(self) -> int:
        """Records that are written nowhere: cancelled, of an epoch that is over, or for a
        generation that is not written any more."""
        targets = self._targets or Counter()
        return self._fenced + sum(
            count for target, count in targets.items() if target not in (None, *self._asked)
        )


class _Part(Iterable[Delivery]):
    """The records of a batch for one generation, as often as they are iterated."""

    def __init__(self, targeted: _Targeted, generation: int) -> None:
        self._targeted, self._generation = targeted, generation

    def __iter__(self) -> Iterator[Delivery]:
        return self._targeted.deliveries(self._generation)


def _note_refusals(poison: Sequence[Poison]) -> None:
    """Before the commit: a replay says what of it could not be projected."""
    refused = [
        (origin, bytes(each.delivery.event.key))
        for each in poison
        if (origin := origin_of(each.delivery.record)) is not None
    ]
    if refused:
        note_refusals(refused)

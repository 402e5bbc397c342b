"""The handler of topic history: what a replay emitted, but for what counts for nothing any more."""

from collections.abc import Iterable, Iterator, Sequence

from django.db import Error as DjangoDatabaseError
from django.db import close_old_connections

from feed import metrics
from feed.announcements import ChangedRange
from feed.consumer import Delivery, Poison
from feed.errors import Backpressure
from feed.fences import FenceReader, note_refusals, origin_of
from feed.topics import Group
from timeseries.projector import DATABASE_RETRY_S, Projector


class HistoryProjector:
    """A Handler (feed.consumer) around a projector of its own."""

    def __init__(self, projector: Projector, fences: FenceReader | None = None) -> None:
        self._projector = projector
        self._fences = fences or FenceReader()

    def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
        """Project the records that count. Raises Backpressure as the projector does, and while the
        database does not say which those are."""
        kept = _Kept(batch, self._fences)
        try:
            poison = self._projector.handle(kept)
            _note_refusals(poison)
        except DjangoDatabaseError as exc:
            close_old_connections()  # one that broke is opened anew
            raise Backpressure(
                f"the database does not take refusals now: {exc}", retry_after_s=DATABASE_RETRY_S
            ) from exc
        if kept.dropped:
            metrics.REPLAY_RECORDS_DROPPED.labels(Group.PROJECTOR_HISTORY.value).inc(kept.dropped)
        return poison

    def take_changes(self) -> Sequence[ChangedRange]:
        """As the projector's."""
        return self._projector.take_changes()


class _Kept(Iterable[Delivery]):
    """The deliveries that count, looked at when their turn comes, as the batch itself; `dropped`
    are those that do not, as of the last iteration."""

    def __init__(self, batch: Iterable[Delivery], fences: FenceReader) -> None:
        self._batch, self._fences = batch, fences
        self.dropped = 0

    def __iter__(self) -> Iterator[Delivery]:
        self.dropped = 0
        for delivery in self._batch:
            if self._fences.drops(delivery.record):
                self.dropped += 1
            else:
                yield delivery


def _note_refusals(poison: Sequence[Poison]) -> None:
    """Before the commit: a replay says what of it could not be projected."""
    refused = [
        (origin, bytes(each.delivery.event.key))
        for each in poison
        if (origin := origin_of(each.delivery.record)) is not None
    ]
    if refused:
        note_refusals(refused)

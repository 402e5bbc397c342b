"""The handler of topic history: what a replay emitted, but for what counts for nothing any more."""

from collections.abc import Sequence

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

    def handle(self, batch: Sequence[Delivery]) -> Sequence[Poison]:
        """Project the records that count. Raises Backpressure as the projector does, and while the
        database does not say which those are."""
        try:
            kept = self._kept(batch)
            poison = self._projector.handle(kept) if kept else ()
            _note_refusals(poison)
        except DjangoDatabaseError as exc:
            close_old_connections()  # one that broke is opened anew
            raise Backpressure(
                f"the database does not tell of replays now: {exc}", retry_after_s=DATABASE_RETRY_S
            ) from exc
        return poison

    def take_changes(self) -> Sequence[ChangedRange]:
        """As the projector's."""
        return self._projector.take_changes()

    def _kept(self, batch: Sequence[Delivery]) -> Sequence[Delivery]:
        dropped = self._fences.dropped([delivery.record for delivery in batch])
        if not dropped:
            return batch
        metrics.REPLAY_RECORDS_DROPPED.labels(Group.PROJECTOR_HISTORY.value).inc(len(dropped))
        return [delivery for index, delivery in enumerate(batch) if index not in dropped]


def _note_refusals(poison: Sequence[Poison]) -> None:
    """Before the commit: a replay says what of it could not be projected."""
    refused = [
        (origin, bytes(each.delivery.event.key))
        for each in poison
        if (origin := origin_of(each.delivery.record)) is not None
    ]
    if refused:
        note_refusals(refused)

"""The warehouse sink: the handler that stores records unchanged."""

from collections.abc import Iterable, Sequence

from feed.crash_points import reach
from feed.deliveries import Decoded, Poison
from feed.errors import Backpressure
from feed.event import Event, EventHead, record_version
from warehouse.errors import StoreBackpressure
from warehouse.ports import EventStore, Row

Stored = Decoded[EventHead] | Decoded[Event]


class WarehouseSink:
    """A `feed.deliveries.Handler`. It refuses nothing: whatever decodes is kept."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def handle(self, batch: Iterable[Stored]) -> Sequence[Poison]:
        """Store the batch durably. Raises Backpressure: nothing of it is promised, hand it over
        again."""
        reach("sink.before_write")
        try:
            self._store.append(map(row_of, batch))
        except StoreBackpressure as exc:
            raise Backpressure(str(exc), retry_after_s=exc.retry_after_s) from exc
        reach("sink.after_write")
        return ()


def row_of(delivery: Stored) -> Row:
    """The record as the event store keeps it: bytes verbatim, placed by the event's key."""
    event, value = delivery.event, delivery.record.value
    version = record_version(event.received_at_ms, value)
    return Row(event.project, event.key, event.event, version, value)

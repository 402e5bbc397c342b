"""What a lane delivers: polled records, decoded when their turn comes, and what is no event."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from feed.errors import UndecodableRecord, UnknownSchema
from feed.event import Event
from feed.ports import Record
from feed.refusals import Refusal

T = TypeVar("T")

UNDECODABLE = "undecodable_record"


class Decoded(NamedTuple, Generic[T]):
    """A record, and what its lane decodes of it. One is made for every record: a frozen dataclass
    takes three times as long."""

    record: Record
    event: T


Delivery = Decoded[Event]


@dataclass(frozen=True, slots=True)
class Poison:
    """A delivery that its handler can never handle: `code` is stable, `detail` a sentence."""

    delivery: Delivery
    code: str
    detail: str


class Handler(Protocol[T]):
    """Stores what the loop delivers. It may also be `feed.announcements.Announcing`."""

    def handle(self, batch: Iterable[Decoded[T]]) -> Sequence[Poison]:
        """Store the batch durably before returning; the deliveries refused for good are returned.

        Iterate it to its end. A delivery is decoded when its turn comes, so that a store works on
        the first ones meanwhile; a second iteration gives the same, and decodes again.
        The same delivery may come again, in another batch: handling it twice changes nothing.
        Raises feed.errors.Backpressure: nothing is committed, the loop pauses and delivers the
        same records again after `retry_after_s`. Anything else raised is a bug: the supervisor
        starts the loop anew and the records come again.
        """


class Batch(Generic[T]):
    """Polled records as deliveries, decoded while it is iterated. What it says of itself is known
    after a whole iteration.

    A record of unknown schema and all that follow it in its partition are not delivered, nor
    refused, nor passed: they stay where they are.
    """

    def __init__(self, records: Sequence[Record], decode: Callable[[bytes], T]) -> None:
        self.records, self._decode = records, decode
        self.refusals: list[Refusal] = []
        """The records that are no events."""
        self.unknown: UnknownSchema | None = None
        self._stopped_at: dict[tuple[str, int], int] = {}

    def __iter__(self) -> Iterator[Decoded[T]]:
        decode = self._decode
        self.refusals, self.unknown, self._stopped_at = [], None, {}
        for record in self.records:
            try:
                event = decode(record.value)
            except UndecodableRecord as exc:
                self._refuse(record, exc)
            except UnknownSchema as exc:
                self._stop_at(record, exc)
            else:
                if not self._stopped_at or not self._is_behind(record):
                    yield Decoded(record, event)

    def passed(self) -> list[Record]:
        """The records that are done with once all deliveries are handled."""
        if not self._stopped_at:
            return list(self.records)
        return [record for record in self.records if not self._is_behind(record)]

    def _is_behind(self, record: Record) -> bool:
        stopped_at = self._stopped_at.get((record.topic, record.partition))
        return stopped_at is not None and record.offset >= stopped_at

    def _refuse(self, record: Record, exc: UndecodableRecord) -> None:
        if not self._is_behind(record):
            self.refusals.append(Refusal(record, None, UNDECODABLE, str(exc)))

    def _stop_at(self, record: Record, exc: UnknownSchema) -> None:
        self.unknown = self.unknown or exc
        self._stopped_at.setdefault((record.topic, record.partition), record.offset)

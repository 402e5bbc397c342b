"""One publish on its way to Kafka.

A report is matched to its record by content, never by order: within one publish every key is
looked up, and where two records share a key each has a callback of its own. Order would hold for
an idempotent producer until the first record that times out.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from confluent_kafka import KafkaError
from confluent_kafka import Message as DriverMessage

from feed.errors import FeedError
from feed.ports import OutgoingRecord
from feed.ticket import Logged, Ticket

logger = logging.getLogger(__name__)


class Owner(Protocol):
    """The producer, as far as a publish needs it."""

    def release(self, pending: "Pending") -> None:
        """Every record of it has been reported."""

    def failure(self, topic: str, error: KafkaError | None) -> FeedError:
        """The port's error for a record that is not known to be logged."""


class Pending(Ticket):
    """The ticket of one publish on its way: knows which record a delivery report is about."""

    __slots__ = ("_indices", "_owner", "_topic", "count", "size")

    def __init__(
        self, owner: Owner, topic: str, records: Sequence[OutgoingRecord], size: int
    ) -> None:
        self.size, self.count = size, len(records)
        super().__init__(self.count, self._release)
        self._owner, self._topic = owner, topic
        self._indices: dict[bytes, int] = {}
        if self.count > 1:
            self._indices = {record.key: index for index, record in enumerate(records)}

    def callbacks(self) -> Sequence[Callable[[KafkaError | None, DriverMessage], None]]:
        """One a record: the same for all, unless two records have the same key."""
        if self.count == 1:
            return [self.reported_alone]
        if len(self._indices) == self.count:
            return [self.reported] * self.count
        return [partial(self.reported_at, index) for index in range(self.count)]

    def reported_alone(self, error: KafkaError | None, message: DriverMessage) -> None:
        """The delivery report of the only record."""
        self.reported_at(0, error, message)

    def reported(self, error: KafkaError | None, message: DriverMessage) -> None:
        """The delivery report of the record with the message's key."""
        self.reported_at(None, error, message)

    def reported_at(
        self, index: int | None, error: KafkaError | None, message: DriverMessage
    ) -> None:
        """Settle one record, that of the message's key when no index is given. Runs inside the
        driver, which cannot carry an exception."""
        try:
            if index is None:
                index = self._indices[message.key()]  # type: ignore[index]  # it has a key
            partition, offset = message.partition(), message.offset()
            if error is None and partition is not None and offset is not None and offset >= 0:
                self.settle(index, Logged(partition, offset))
            else:
                self.settle(index, self._owner.failure(self._topic, error))
        except Exception:
            logger.exception("delivery report failed", extra={"action": "delivery_report_failed"})

    def _release(self) -> None:
        self._owner.release(self)

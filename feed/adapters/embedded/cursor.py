"""Where reading stands in one partition, and what was read ahead of it."""

from collections.abc import Callable, Sequence

from feed.adapters.embedded.log import TopicLog
from feed.errors import DataLoss
from feed.ports import PartitionBounds, Record, TopicPartition

READ_BYTES = 1024 * 1024
Loss = Callable[[TopicPartition, int | None, PartitionBounds], DataLoss]


class PartitionCursor:
    """Reads whole chunks, hands out records. Checks a position against the log before it trusts
    it."""

    def __init__(
        self, log: TopicLog, partition: TopicPartition, position: int | None, *, loss: Loss
    ) -> None:
        self._log, self._partition, self._loss = log, partition, loss
        self._position = position
        self._is_checked = False
        self._ahead: list[Record] = []
        self._taken = 0

    def seek(self, position: int) -> None:
        """Read on from here; what was read ahead is forgotten."""
        self._position, self._is_checked = position, False
        self._ahead, self._taken = [], 0

    def take(self, max_records: int, *, max_bytes: int) -> list[Record]:
        """The next records in order, at least one if there is one; [] at the end. Raises
        DataLoss."""
        if self._taken == len(self._ahead):
            self._read_on(max_records)
        records = self._ahead[self._taken : self._taken + max_records]
        records = records[: _fitting(records, max_bytes)]
        self._taken += len(records)
        return records

    def _read_on(self, max_records: int) -> None:
        position = self._checked_position()
        self._ahead = self._log.read(
            self._partition.partition, position, max_records=max_records, max_bytes=READ_BYTES
        )
        self._taken = 0
        reached = self._ahead[0].offset if self._ahead else self._end()
        if reached > position:  # appended just now, or trimmed since the check
            self._ahead = []
            self._is_checked = False
            self._checked_position()
        elif self._ahead:
            self._position = self._ahead[-1].offset + 1

    def _end(self) -> int:
        return self._log.head().next_offsets[self._partition.partition]

    def _checked_position(self) -> int:
        if self._is_checked and self._position is not None:
            return self._position
        bounds = self._log.bounds()[self._partition.partition]
        if self._position is None and bounds.start == 0:
            self._position = 0
        if self._position is None or not bounds.start <= self._position <= bounds.end:
            raise self._loss(self._partition, self._position, bounds)
        self._is_checked = True
        return self._position


def _fitting(records: Sequence[Record], max_bytes: int) -> int:
    """How many of the first records hold about `max_bytes`."""
    for count, record in enumerate(records, 1):
        max_bytes -= len(record.value)
        if max_bytes <= 0:
            return count
    return len(records)

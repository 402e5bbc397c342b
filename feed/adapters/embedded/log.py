"""One topic's file: chunks by partition and offset, and the head, where the next offsets stand.

The head is kept apart from the chunks, so that offsets are never used again after trimming.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack as pack_struct
from struct import unpack as unpack_struct

from feed.adapters.embedded.chunks import unpack
from feed.errors import UnsafeTopic
from feed.ports import PartitionBounds, Record
from feed.sqlite import Connection, reading, rows, writing

FORMAT = 1
_SCHEMA = """
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    next_offsets BLOB NOT NULL,
    appended_at_ms INTEGER NOT NULL
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    base INTEGER NOT NULL,
    count INTEGER NOT NULL,
    appended_at_ms INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX chunk_places ON chunks (partition, base);
"""
# Rows lie in order of arrival, so that every partition appends at the table's end and pages fill
# up.
_READ = """
SELECT base, count, appended_at_ms, data FROM chunks
WHERE partition = ?1 AND base >= coalesce(
    (SELECT max(base) FROM chunks WHERE partition = ?1 AND base <= ?2), ?2)
ORDER BY base
"""
_TIME = f"{_READ.replace(', data', '')} LIMIT 2"


@dataclass(frozen=True, slots=True)
class Head:
    """Next offset of every partition, and the newest append time of the topic."""

    next_offsets: tuple[int, ...]
    appended_at_ms: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one partition that are packed and have no offsets yet."""

    partition: int
    count: int
    data: bytes


class TopicLog:
    """One topic's file through one connection, used by one thread at a time."""

    def __init__(self, connection: Connection, topic: str) -> None:
        self.connection = connection
        self.topic = topic

    def make(self, partitions: int) -> str | None:
        """Make tables and partitions that are missing; a sentence if so. Raises UnsafeTopic."""
        with writing(self.connection):
            version = self.connection.execute("PRAGMA user_version").get
            if version == 0:
                self.connection.execute(_SCHEMA)
                self.connection.execute(
                    "INSERT INTO head VALUES (0, ?, 0)", (_packed([0] * partitions),)
                )
                self.connection.execute(f"PRAGMA user_version = {FORMAT}")
                return f"topic {self.topic} was made with {partitions} partitions"
            if version != FORMAT:
                raise UnsafeTopic(
                    f"topic {self.topic} has format {version}, this Weir reads {FORMAT}: "
                    "start the Weir that wrote it"
                )
            return self._grow(partitions)

    def _grow(self, partitions: int) -> str | None:
        held = self.head().next_offsets
        if partitions < len(held):
            raise UnsafeTopic(
                f"topic {self.topic} has {len(held)} partitions and {partitions} are asked for: "
                f"records in the others would never be read; set partitions={len(held)} or more"
            )
        if partitions == len(held):
            return None
        grown = [*held, *[0] * (partitions - len(held))]
        self.connection.execute("UPDATE head SET next_offsets = ?", (_packed(grown),))
        return f"topic {self.topic} grew from {len(held)} to {partitions} partitions"

    def head(self) -> Head:
        """The head as it is now."""
        packed, appended_at_ms = self.connection.execute(
            "SELECT next_offsets, appended_at_ms FROM head"
        ).get
        return Head(unpack_struct(f"<{len(packed) // 8}q", packed), appended_at_ms)

    def append(self, head: Head, chunks: Sequence[Chunk], *, now_ms: int) -> None:
        """Write chunks behind `head`, which was read in the same transaction; few statements, see
        chunks.py."""
        appended_at_ms = max(head.appended_at_ms, now_ms)
        offsets = list(head.next_offsets)
        values: list[int | bytes] = []
        for chunk in chunks:
            base = offsets[chunk.partition]
            values += (chunk.partition, base, chunk.count, appended_at_ms, chunk.data)
            offsets[chunk.partition] = base + chunk.count
        rows = ", ".join(["(?, ?, ?, ?, ?)"] * len(chunks))
        self.connection.execute(
            f"INSERT INTO chunks (partition, base, count, appended_at_ms, data) VALUES {rows}",  # noqa: S608  # placeholders only
            values,
        )
        self.connection.execute(
            "UPDATE head SET next_offsets = ?, appended_at_ms = ?",
            (_packed(offsets), appended_at_ms),
        )

    def read(
        self, partition: int, position: int, *, max_records: int, max_bytes: int
    ) -> list[Record]:
        """Whole chunks from `position` on, until a limit is reached or passed; [] at the end."""
        found: list[Record] = []
        size = 0
        cursor = self.connection.execute(_READ, (partition, position))
        for base, count, appended_at_ms, data in cursor:
            if base + count <= position:
                continue
            records = unpack(
                data,
                topic=self.topic,
                partition=partition,
                base=base,
                count=count,
                appended_at_ms=appended_at_ms,
            )
            found += records[position - base :] if base < position else records
            size += len(data)
            if len(found) >= max_records or size >= max_bytes:
                cursor.close(True)  # ends the read transaction, so that the WAL can start over
                break
        return found

    def bounds(self) -> dict[int, PartitionBounds]:
        """Start and end of every partition, as of one moment."""
        with reading(self.connection):
            ends = self.head().next_offsets
            starts = [self._oldest(partition) for partition in range(len(ends))]
        return {
            partition: PartitionBounds(end if start is None else start, end)
            for partition, (start, end) in enumerate(zip(starts, ends, strict=True))
        }

    def _oldest(self, partition: int) -> int | None:
        oldest: int | None = self.connection.execute(
            "SELECT min(base) FROM chunks WHERE partition = ?", (partition,)
        ).get
        return oldest

    def chunk_time(self, partition: int, offset: int) -> int | None:
        """Append time of the first record at or after `offset`; None at the end."""
        for base, count, appended_at_ms in rows(self.connection, _TIME, (partition, offset)):
            if base + count > offset:
                return int(appended_at_ms)
        return None

    def position_at(self, partition: int, time_ms: int) -> int:
        """The position of the first record appended at or after `time_ms`: times never go back, so
        halving finds it."""
        bounds = self.bounds()[partition]
        low, high = bounds.start, bounds.end
        while low < high:
            middle = (low + high) // 2
            appended_at_ms = self.chunk_time(partition, middle)
            if appended_at_ms is None or appended_at_ms >= time_ms:
                high = middle
            else:
                low = middle + 1
        return low


def _packed(offsets: Sequence[int]) -> bytes:
    return pack_struct(f"<{len(offsets)}q", *offsets)

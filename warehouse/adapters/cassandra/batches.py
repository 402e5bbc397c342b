"""Batches of one partition as bytes: what the driver's binding of values costs is several times
what sending them does (docs/decisions/0023-cassandra-adapter.md has the measurements)."""

from struct import Struct
from typing import Any

from cassandra.cluster import EXEC_PROFILE_DEFAULT, ResponseFuture
from cassandra.protocol import BatchMessage
from cassandra.query import BatchType, Statement

from warehouse.ports import Partition, Row

MAX_BATCH_BYTES = 512 * 1024
"""A batch is one mutation: Cassandra takes at most half a commit log segment, 16 MiB by default."""
_INT = Struct(">i").pack
_LONG_VALUE = Struct(">iq").pack
_TWO_INTS = Struct(">ii").pack
_SHORT = Struct(">H").pack
_PREPARED = b"\x01"
_INSERT_VALUES = 6


class PackedBatch(BatchMessage):  # type: ignore[misc]  # Any: the driver has no types
    """The driver's message whose statements are bytes already. See the native protocol, v4,
    section 4.1.7."""

    def __init__(self, body: bytes, consistency: int) -> None:
        super().__init__(BatchType.UNLOGGED, (), consistency)
        self._body = body

    def send_body(self, f: Any, protocol_version: int) -> None:
        """Statements, consistency, no flags: each statement carries its own timestamp."""
        f.write(self._body + _SHORT(self.consistency_level) + b"\x00")


class Batch:
    """Rows of one partition as an insert each, packed as they come: they are read and written once,
    while they are at hand. A row larger than the bound in bytes is a batch by itself."""

    __slots__ = ("_head", "_inserts", "_most_rows", "_record_bytes", "partition", "project")

    def __init__(self, project: str, partition: Partition, *, insert: bytes, most_rows: int):
        """`insert` is how each insert begins: the statement."""
        self.project, self.partition = project, partition
        self._head = insert + partition_values(project.encode(), partition)
        self._most_rows = most_rows
        self._inserts: list[bytes] = []
        self._record_bytes = 0

    def has_room(self, row: Row) -> bool:
        """Whether the row may still come into it."""
        size = self._record_bytes + len(row.record)
        return not self._inserts or (
            len(self._inserts) < self._most_rows and size <= MAX_BATCH_BYTES
        )

    def add(self, row: Row) -> None:
        """One more row of this partition."""
        name, record, key = row.event.encode(), row.record, row.key
        name_bytes, record_bytes = len(name), len(record)
        self._inserts.append(
            b"".join(
                (
                    self._head,
                    _INT(len(key)),
                    key,
                    _TWO_INTS(name_bytes + record_bytes + 8, name_bytes),
                    name,
                    _INT(record_bytes),
                    record,
                    _LONG_VALUE(8, row.version),
                )
            )
        )
        self._record_bytes += record_bytes

    def body(self) -> bytes:
        """The message's statements: kind, how many, each of them."""
        kind = bytes((BatchType.UNLOGGED.value,))
        return b"".join((kind, _SHORT(len(self._inserts)), *self._inserts))


class BatchWriter:
    """Makes and sends batches on one session. Thread-safe."""

    def __init__(
        self, session: Any, insert: Any, *, keyspace: str, most_rows: int, limit_s: float
    ) -> None:
        self._session, self._keyspace = session, keyspace
        self._most_rows, self._limit_s = most_rows, limit_s
        profile = session.get_execution_profile(EXEC_PROFILE_DEFAULT)
        self._consistency: int = profile.consistency_level
        self._retry_policy, self._balancer = profile.retry_policy, profile.load_balancing_policy
        self._insert = _PREPARED + _SHORT(len(insert.query_id)) + insert.query_id
        self._insert += _SHORT(_INSERT_VALUES)

    def batch(self, project: str, partition: Partition) -> Batch:
        """An empty one."""
        return Batch(project, partition, insert=self._insert, most_rows=self._most_rows)

    def send(self, batch: Batch) -> ResponseFuture:
        """Start writing its rows; `result()` of what is returned waits for the ack."""
        statement = Statement(
            routing_key=routing_key(batch.project.encode(), batch.partition),
            keyspace=self._keyspace,
            is_idempotent=True,
        )
        future = ResponseFuture(
            self._session,
            PackedBatch(batch.body(), self._consistency),
            statement,
            self._limit_s,
            retry_policy=self._retry_policy,
            load_balancer=self._balancer,
        )
        future.send_request()
        return future


def partition_values(project: bytes, partition: Partition) -> bytes:
    """The first three values of an insert, each with its length."""
    return b"".join(
        (
            _INT(len(project)),
            project,
            _LONG_VALUE(8, partition.hour_ms),
            _TWO_INTS(4, partition.shard),
        )
    )


def routing_key(project: bytes, partition: Partition) -> bytes:
    """A composite key as the partitioner hashes it: length, bytes and a zero for each part."""
    parts = (project, partition.hour_ms.to_bytes(8, "big"), partition.shard.to_bytes(4, "big"))
    return b"".join(_SHORT(len(part)) + part + b"\x00" for part in parts)

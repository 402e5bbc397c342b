"""Batches of one partition as bytes: what the driver's binding of values costs is several times
what sending them does (docs/decisions/0023-cassandra-adapter.md has the measurements)."""

from collections.abc import Sequence
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


class BatchWriter:
    """Packs and sends inserts of events on one session. Thread-safe."""

    def __init__(self, session: Any, insert: Any, *, keyspace: str, limit_s: float) -> None:
        self._session, self._keyspace, self._limit_s = session, keyspace, limit_s
        profile = session.get_execution_profile(EXEC_PROFILE_DEFAULT)
        self._consistency: int = profile.consistency_level
        self._retry_policy, self._balancer = profile.retry_policy, profile.load_balancing_policy
        self._head = _PREPARED + _SHORT(len(insert.query_id)) + insert.query_id
        self._head += _SHORT(_INSERT_VALUES)

    def send(self, project: bytes, partition: Partition, rows: Sequence[Row]) -> ResponseFuture:
        """Start writing rows of one partition; `result()` of what is returned waits for the ack."""
        message = PackedBatch(
            _packed(self._head + partition_values(project, partition), rows), self._consistency
        )
        statement = Statement(
            routing_key=routing_key(project, partition),
            keyspace=self._keyspace,
            is_idempotent=True,
        )
        future = ResponseFuture(
            self._session,
            message,
            statement,
            self._limit_s,
            retry_policy=self._retry_policy,
            load_balancer=self._balancer,
        )
        future.send_request()
        return future


def _packed(head: bytes, rows: Sequence[Row]) -> bytes:
    pieces = [bytes((BatchType.UNLOGGED.value,)), _SHORT(len(rows))]
    for row in rows:
        name, record, key = row.event.encode(), row.record, row.key
        name_bytes, record_bytes = len(name), len(record)
        pieces += (
            head,
            _INT(len(key)),
            key,
            _TWO_INTS(name_bytes + record_bytes + 8, name_bytes),
            name,
            _INT(record_bytes),
            record,
            _LONG_VALUE(8, row.version),
        )
    return b"".join(pieces)


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

"""The CQL that the adapter runs. Values are bound by place; names are ours, checked by options."""

from dataclasses import dataclass
from typing import Any

# Any: the driver has no types; a prepared statement is handed back to it.
Prepared = Any

INSERT_EVENT = """
INSERT INTO {keyspace}.events (project, hour, shard, key, stored) VALUES (?, ?, ?, ?, ?)
USING TIMESTAMP ?
"""
INSERT_PARTITION = """
INSERT INTO {keyspace}.partitions (project, month, hour, shard) VALUES (?, ?, ?, ?)
"""
INSERT_MONTH = "INSERT INTO {keyspace}.months (project, month) VALUES (?, ?)"
SELECT_ROWS = """
SELECT key, stored.event, stored.record, writetime(stored) FROM {keyspace}.events
WHERE project = ? AND hour = ? AND shard = ? AND key >= ? AND key < ? LIMIT ?
"""
SELECT_NAMES = """
SELECT key, stored.event, writetime(stored) FROM {keyspace}.events
WHERE project = ? AND hour = ? AND shard = ? AND key >= ? AND key < ? LIMIT ?
"""
SELECT_KEYS = """
SELECT key, stored.event, stored.record, writetime(stored) FROM {keyspace}.events
WHERE project = ? AND hour = ? AND shard = ? AND key IN ?
"""
SELECT_PARTITIONS = """
SELECT toUnixTimestamp(hour), shard FROM {keyspace}.partitions
WHERE project = ? AND month = ? AND hour >= ? AND hour < ?
"""
SELECT_MONTHS = """
SELECT month FROM {keyspace}.months WHERE project = ? AND month >= ? AND month <= ?
"""


@dataclass(frozen=True, slots=True)
class Statements:
    """All of them, prepared on one session."""

    insert_event: Prepared
    insert_partition: Prepared
    insert_month: Prepared
    select_rows: Prepared
    select_names: Prepared
    select_keys: Prepared
    select_partitions: Prepared
    select_months: Prepared


def prepare_all(session: Any, keyspace: str) -> Statements:
    """Raises the driver's errors; InvalidRequest where a table is missing."""

    def prepared(cql: str) -> Prepared:
        return session.prepare(cql.format(keyspace=keyspace))

    return Statements(
        insert_event=prepared(INSERT_EVENT),
        insert_partition=prepared(INSERT_PARTITION),
        insert_month=prepared(INSERT_MONTH),
        select_rows=prepared(SELECT_ROWS),
        select_names=prepared(SELECT_NAMES),
        select_keys=prepared(SELECT_KEYS),
        select_partitions=prepared(SELECT_PARTITIONS),
        select_months=prepared(SELECT_MONTHS),
    )

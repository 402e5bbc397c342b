"""The warehouse sink from Kafka to Cassandra, and scans.

The limit is what Cassandra takes of batches whose rows are all in memory, bound to the driver's
prepared statement before the clock starts. No program that reads its rows from anywhere can do
that: beside it stands a program by hand, which groups, binds and sends rows from memory.
"""

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cassandra.query import BatchStatement, BatchType

from benchmarks import servers
from benchmarks.cassandra_scan import measure, open_store
from benchmarks.corpus import START_MS
from benchmarks.draining import drain, fill_feed
from benchmarks.figures import Figure, say
from benchmarks.workers import shop_records
from feed.codec import decode_head
from feed.deliveries import Batch, Decoded
from feed.errors import Backpressure
from feed.event import EventHead
from feed.ports import OutgoingRecord, Record
from feed.topics import Topic
from tests.engine_fixtures import fresh_name
from tests.engine_names import CASSANDRA, KAFKA, SETTINGS, corner
from tests.stack import Stack
from warehouse.adapters.cassandra import CassandraEventStore
from warehouse.adapters.cassandra.placing import hour_of
from warehouse.ports import Row
from warehouse.sink import WarehouseSink, row_of

EVENTS = 200_000
POLL_RECORDS = 20_000
BATCH_ROWS = 200
IN_FLIGHT = 16
ROUNDS = 3
PROJECTS = (1, 100)
SCAN_LIMIT = 40_000.0
MEMORY_LIMIT_MB = 300.0
ENGINES = "cassandra"


def run() -> None:
    """Figures for one project and for a hundred; the best of a few rounds."""
    server, keyspace = servers.server(CASSANDRA), fresh_name()
    store = open_store(f"{server}/{keyspace}")
    try:
        store.ensure()
        for projects in PROJECTS:
            _measure(store, keyspace, projects)
        _measure_scans(store, keyspace)
    finally:
        store._session.connected().session.execute(f"DROP KEYSPACE {keyspace}", timeout=60)
        store.close()


def _measure(store: CassandraEventStore, keyspace: str, projects: int) -> None:
    records = [_record(index, each) for index, each in enumerate(shop_records(EVENTS, projects))]
    say(f"{EVENTS} events of {projects} projects into Cassandra, {ROUNDS} rounds")
    rows = [row_of(delivery) for delivery in Batch(records, decode_head)]
    by_hand, ready, sink, whole = 0.0, 0.0, 0.0, 0.0
    for _ in range(ROUNDS):
        by_hand = max(by_hand, EVENTS / _timed(_send, store, _batches(store, keyspace, rows)))
        ready = max(ready, EVENTS / _timed(_send, store, list(_batches(store, keyspace, rows))))
        sink = max(sink, EVENTS / _timed(_handle, store, list(Batch(records, decode_head))))
        whole = max(whole, EVENTS / _timed(_decode_and_handle, store, records))
    name = f"{projects}_projects"
    Figure(f"by_hand_{name}", by_hand, "events/s", ready, ENGINES).print()
    Figure(f"sink_handle_{name}", sink, "events/s", ready, ENGINES).print()
    Figure(f"sink_decode_handle_{name}", whole, "events/s", ready, ENGINES).print()
    drained = [_drain_kafka(records) for _ in range(ROUNDS)]
    rate, memory_mb = max(rate for rate, _ in drained), max(peak_mb for _, peak_mb in drained)
    Figure(f"sink_{name}", rate, "events/s", ready, f"kafka, {ENGINES}").print()
    Figure(f"sink_{name}_and_by_hand", rate, "events/s", by_hand, f"kafka, {ENGINES}").print()
    Figure(f"sink_memory_{name}", memory_mb, "MB", MEMORY_LIMIT_MB, f"kafka, {ENGINES}").print()


def _measure_scans(store: CassandraEventStore, keyspace: str) -> None:
    """What `_measure` left there: the first project has all events, the others a hundredth each."""
    others = [f"bench-{number}" for number in range(1, PROJECTS[-1])]
    name = f"warehouse_scan_{PROJECTS[-1]}_projects"
    rate = measure("warehouse_scan_1_projects", store, keyspace, ["bench-0"], EVENTS)
    Figure("warehouse_scan", rate, "events/s", SCAN_LIMIT, ENGINES).print()
    measure(name, store, keyspace, others, len(others) * EVENTS // PROJECTS[-1])


def _drain_kafka(records: Sequence[Record]) -> tuple[float, float]:
    """Events a second of `run_warehouse_sink`, start-up taken off, and its peak MB."""
    outgoing = [OutgoingRecord(record.key, record.value) for record in records]
    with (
        corner(CASSANDRA, servers.server(CASSANDRA)) as warehouse,
        corner(KAFKA, servers.server(KAFKA)) as feed,
        tempfile.TemporaryDirectory(prefix="weir-bench-") as folder,
        Stack(Path(folder), {SETTINGS[CASSANDRA]: warehouse, SETTINGS[KAFKA]: feed}) as stack,
    ):
        idle_s, _ = drain(stack, "run_warehouse_sink")
        fill_feed(stack, outgoing)
        seconds, peak_mb = drain(stack, "run_warehouse_sink")
        return EVENTS / (seconds - idle_s), peak_mb


def _record(index: int, outgoing: OutgoingRecord) -> Record:
    return Record(Topic.EVENTS, 0, index, START_MS, outgoing.key, outgoing.value)


def _batches(
    store: CassandraEventStore, keyspace: str, rows: Sequence[Row]
) -> Iterator[BatchStatement]:
    """As the driver's documentation says: bound statements in unlogged batches of one partition."""
    session = store._session.connected().session
    insert = session.prepare(
        f"INSERT INTO {keyspace}.events (project, hour, shard, key, stored) "  # noqa: S608
        "VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
    )
    by_partition: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        by_partition.setdefault((row.project, hour_of(row.key)), []).append(row)
    for (project, hour_ms), placed in by_partition.items():
        for start in range(0, len(placed), BATCH_ROWS):
            batch = BatchStatement(BatchType.UNLOGGED)
            for row in placed[start : start + BATCH_ROWS]:
                stored = row.event, row.record
                batch.add(insert.bind((project, hour_ms, 0, row.key, stored, row.version)))
            yield batch


def _send(store: CassandraEventStore, batches: Iterable[BatchStatement]) -> None:
    session = store._session.connected().session
    window: deque[Any] = deque()
    for batch in batches:
        window.append(session.execute_async(batch))
        if len(window) >= IN_FLIGHT:
            window.popleft().result()
    for future in window:
        future.result()


def _polls(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(records), POLL_RECORDS):
        yield records[start : start + POLL_RECORDS]


def _handle(store: CassandraEventStore, deliveries: Sequence[Decoded[EventHead]]) -> None:
    sink = WarehouseSink(store)
    for batch in _polls(deliveries):
        _until_taken(sink, batch)


def _decode_and_handle(store: CassandraEventStore, records: Sequence[Record]) -> None:
    sink = WarehouseSink(store)
    for batch in _polls(records):
        _until_taken(sink, Batch(batch, decode_head))


def _until_taken(sink: WarehouseSink, batch: Iterable[Decoded[EventHead]]) -> None:
    """As the consume loop does."""
    while True:
        try:
            sink.handle(batch)
        except Backpressure as exc:
            say(f"waiting: {exc}")
        else:
            return


def _timed(work: Callable[..., object], *arguments: object) -> float:
    started = time.monotonic()
    work(*arguments)
    return time.monotonic() - started

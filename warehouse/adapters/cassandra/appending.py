"""Appends batches: partitions are listed, and that is acknowledged, before their first row."""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from feed.crash_points import reach
from warehouse.adapters.cassandra.batches import Batch, BatchWriter
from warehouse.adapters.cassandra.placing import hour_of, month_of, shard_of
from warehouse.adapters.cassandra.session import CassandraSession
from warehouse.adapters.cassandra.statements import Statements
from warehouse.ports import Partition, Row
from warehouse.shards import ShardPlans

Place = tuple[str, Partition]
MAX_LISTED = 100_000
LIST_AGAIN_S = 600.0
"""Partitions are listed again this often, so that a writer which outlived a dropped keyspace does
not rely for ever on what lay in it."""


class Appender:
    """Writes to one Cassandra. Thread-safe."""

    def __init__(
        self,
        session: CassandraSession,
        plans: ShardPlans,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._plans = session, plans
        self._listed = ListedPartitions(monotonic_s)

    def append(self, rows: Iterable[Row]) -> None:
        """See `EventStore.append`: the first batches are under way while further rows come."""
        options = self._session.options
        with self._session.used() as (session, statements):
            window = Window(options.in_flight)
            writer = BatchWriter(
                session,
                statements.insert_event,
                keyspace=options.keyspace,
                most_rows=options.batch_rows,
                limit_s=float(options.timeout_s),
            )
            for full, started in self._batches(rows, writer):
                if self._listed.missing(map(_place, full), statements):
                    self._list_new(session, statements, map(_place, started))
                reach("sink.mid_batch")
                for batch in full:
                    window.add(writer.send(batch))
            window.finish()

    def _batches(
        self, rows: Iterable[Row], writer: BatchWriter
    ) -> Iterator[tuple[Collection[Batch], Collection[Batch]]]:
        """Batches of one partition each: full ones as they fill, then the rest at once. Beside
        them, all that are started."""
        batches: dict[tuple[str, int, int], Batch] = {}
        counts: dict[tuple[str, int], int] = {}
        for row in rows:
            project, key = row.project, row.key
            hour_ms = hour_of(key)
            shards = counts.get((project, hour_ms))
            if shards is None:
                shards = counts[project, hour_ms] = self._plans.count(project, hour_ms)
            shard = shard_of(key, shards) if shards > 1 else 0
            batch = batches.get((project, hour_ms, shard))
            if batch is not None and not batch.has_room(row):
                yield [batch], batches.values()
                batch = None
            if batch is None:
                batch = writer.batch(project, Partition(hour_ms, shard))
                batches[project, hour_ms, shard] = batch
            batch.add(row)
        yield batches.values(), batches.values()

    def _list_new(self, session: Any, statements: Statements, started: Iterable[Place]) -> None:
        """All that are started, in one go: a wait for acknowledgements holds up everything."""
        places = self._listed.missing(started, statements)
        months = {(project, month_of(partition.hour_ms)) for project, partition in places}
        window = Window(self._session.options.in_flight)
        for month in months:
            window.add(session.execute_async(statements.insert_month, month))
        for project, (hour_ms, shard) in places:
            values = project, month_of(hour_ms), hour_ms, shard
            window.add(session.execute_async(statements.insert_partition, values))
        window.finish()
        self._listed.remember(places, statements)


def _place(batch: Batch) -> Place:
    return batch.project, batch.partition


class Window:
    """Requests on their way, at most so many: one more waits for the oldest. Raises what the
    driver raises; those still on their way are harmless, since every write is idempotent."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._futures: deque[Any] = deque()

    def add(self, future: Any) -> None:
        """One more is on its way."""
        self._futures.append(future)
        if len(self._futures) >= self._most:
            self._futures.popleft().result()

    def finish(self) -> None:
        """Wait for all."""
        while self._futures:
            self._futures.popleft().result()


class ListedPartitions:
    """The partitions that this process knows to be listed; bounded, and forgotten now and then.
    Thread-safe."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._known: set[Place] = set()
        self._since_s = monotonic_s()
        self._statements: Statements | None = None

    def missing(self, places: Iterable[Place], statements: Statements) -> list[Place]:
        """Those that have to be listed. Statements are prepared anew after tables were missing:
        what was listed in those is forgotten."""
        with self._lock:
            now_s = self._monotonic_s()
            if statements is not self._statements or now_s > self._since_s + LIST_AGAIN_S:
                self._known, self._since_s, self._statements = set(), now_s, statements
            return [place for place in places if place not in self._known]

    def remember(self, places: Sequence[Place], statements: Statements) -> None:
        """These are listed, acknowledged."""
        with self._lock:
            if statements is not self._statements:
                return
            if len(self._known) + len(places) > MAX_LISTED:
                self._known = set()
            self._known.update(places)

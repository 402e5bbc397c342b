"""Scans of the warehouse in Cassandra, beside the driver's own paging over the same rows."""

import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.corpus import START_MS
from benchmarks.figures import Figure, say
from feed.event import HOUR_MS
from warehouse.adapters.cassandra import CassandraEventStore
from warehouse.adapters.cassandra.options import parse_options
from warehouse.ports import ScanWindow
from warehouse.shards import ShardPlan

ROUNDS = 3
FETCH_ROWS = 5_000
"""The driver's own default."""
ENGINES = "cassandra"


def open_store(url: str) -> CassandraEventStore:
    """The warehouse of this URL, a single shard an hour. Close it."""
    return CassandraEventStore(parse_options(url, {}), load_plan=lambda _: ShardPlan(2**48))


def measure(
    name: str, store: CassandraEventStore, keyspace: str, projects: Sequence[str], rows: int
) -> float:
    """Events a second of whole scans of these projects' hour, `rows` in all; the best of a few
    rounds, by turns with scans by hand."""
    say(f"{rows} events of {len(projects)} projects are scanned, {ROUNDS} rounds")
    raw, ours = 0.0, 0.0
    for _ in range(ROUNDS):
        raw = max(raw, rows / _seconds(rows, _by_hand, store, keyspace, projects))
        ours = max(ours, rows / _seconds(rows, _scanned, store, projects))
    Figure(name, ours, "events/s", raw, ENGINES).print()
    return ours


def rows_by_hand(
    store: CassandraEventStore, keyspace: str, project: str
) -> Iterator[tuple[bytes, bytes]]:
    """Key and record of every event, as the driver's documentation pages: one page after the other,
    of the partition that is known to hold them."""
    session = store._session.connected().session
    select = session.prepare(
        f"SELECT key, stored FROM {keyspace}.events "  # noqa: S608 - a name of our own
        "WHERE project = ? AND hour = ? AND shard = 0"
    )
    select.fetch_size = FETCH_ROWS
    for key, stored in session.execute(select.bind((project, START_MS))):
        yield key, stored.record


def _by_hand(store: CassandraEventStore, keyspace: str, projects: Sequence[str]) -> int:
    return sum(sum(1 for _ in rows_by_hand(store, keyspace, project)) for project in projects)


def _scanned(store: CassandraEventStore, projects: Sequence[str]) -> int:
    windows = [ScanWindow(project, START_MS, START_MS + HOUR_MS) for project in projects]
    return sum(len(page.rows) for window in windows for page in store.scan(window))


def _seconds(rows: int, work: Callable[..., int], *arguments: object) -> float:
    started = time.monotonic()
    found = work(*arguments)
    assert found == rows, f"{found} of {rows} events were scanned"
    return time.monotonic() - started

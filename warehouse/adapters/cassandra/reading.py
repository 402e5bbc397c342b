"""Reads pages, rows, partitions and counts. A page is one query from one key on: nothing is held in
Cassandra between pages, so that a scan can stop and go on anywhere."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from feed.event import HOUR_MS, LAST_KEY_MS, first_key_at, key_hash
from warehouse.adapters.cassandra.placing import hour_of, month_of, shard_of
from warehouse.adapters.cassandra.session import CassandraSession
from warehouse.ports import Checkpoint, HourCount, Page, Partition, Row, ScanWindow
from warehouse.shards import ShardPlans

COUNT_ROWS = 5_000
"""Rows a page of a count, at most LOOK_ROWS: keys and names alone."""
KEYS_A_QUERY = 100
LAST_HOUR_MS = LAST_KEY_MS // HOUR_MS * HOUR_MS
"""The hour of the last time that a key can say."""
Found = tuple[Any, ...]
"""A row as the driver gives it: by columns of the statement."""


@dataclass(frozen=True, slots=True)
class _Span:
    """What is to be read of one partition: keys in [first, end)."""

    partition: Partition
    first: bytes
    end: bytes


class Reader:
    """Reads from one Cassandra. Thread-safe."""

    def __init__(self, session: CassandraSession, plans: ShardPlans) -> None:
        self._session, self._plans = session, plans

    def scan(self, window: ScanWindow, after: Checkpoint | None, page_rows: int) -> Iterator[Page]:
        """See `EventStore.scan`."""
        project, wanted = window.project, window.events
        for span in self._spans(window, after):
            last_key = span.first
            for found in self._pages("select_rows", project, span, page_rows):
                last_key = found[-1][0] if found else last_key
                rows = [
                    Row(project, key, event, version, record)
                    for key, event, record, version in found
                    if not wanted or event in wanted
                ]
                yield Page(rows, Checkpoint(span.partition, last_key))

    def hours(self, window: ScanWindow, tick: Callable[[], object]) -> Iterator[HourCount]:
        """See `EventStore.hours`: an hour's shards are added up, and given when all are counted."""
        hour_ms, counts = -1, _no_counts()
        for span in self._spans(window, None):
            if span.partition.hour_ms != hour_ms:
                yield from _hour_counts(hour_ms, counts)
                hour_ms, counts = span.partition.hour_ms, _no_counts()
            for found in self._pages("select_names", window.project, span, COUNT_ROWS):
                tick()
                for key, event, version in found:
                    if not window.events or event in window.events:
                        count = counts[event]
                        count[0] += 1
                        count[1] += key_hash(key, version)
        yield from _hour_counts(hour_ms, counts)

    def rows(self, project: str, keys: Sequence[bytes]) -> dict[bytes, Row]:
        """The rows of these keys."""
        placed: dict[Partition, list[bytes]] = defaultdict(list)
        for key in dict.fromkeys(keys):
            hour_ms = hour_of(key)
            shard = shard_of(key, self._plans.count(project, hour_ms))
            placed[Partition(hour_ms, shard)].append(key)
        rows: dict[bytes, Row] = {}
        with self._session.used() as (session, statements):
            futures = [
                session.execute_async(
                    statements.select_keys,
                    (project, hour_ms, shard, held[start : start + KEYS_A_QUERY]),
                    timeout=self._session.late_s(),
                )
                for (hour_ms, shard), held in placed.items()
                for start in range(0, len(held), KEYS_A_QUERY)
            ]
            for future in futures:
                for key, event, record, version in future.result():
                    rows[key] = Row(project, key, event, version, record)
        return rows

    def partitions(self, project: str, start_ms: int, end_ms: int) -> Iterator[Partition]:
        """Partitions of the window, ascending, read a month at a time."""
        first_ms = max(0, start_ms // HOUR_MS * HOUR_MS)
        end_ms = min(end_ms, LAST_HOUR_MS + HOUR_MS)
        if start_ms >= end_ms:
            return
        months = self._all("select_months", (project, month_of(first_ms), month_of(end_ms - 1)))
        for (month,) in months:
            found = self._all("select_partitions", (project, month, first_ms, end_ms))
            yield from (Partition(hour_ms, shard) for hour_ms, shard in found)

    def _spans(self, window: ScanWindow, after: Checkpoint | None) -> Iterator[_Span]:
        start_ms, end_ms = window.start_ms, window.end_ms
        if after is not None:
            start_ms = max(start_ms, after.partition.hour_ms)
        for partition in self.partitions(window.project, start_ms, end_ms):
            hour_ms = partition.hour_ms
            first: bytes = first_key_at(max(hour_ms, window.start_ms))
            if after is not None and partition <= after.partition:
                if partition < after.partition:
                    continue
                first = max(first, _next_key(after.last_key))
            yield _Span(partition, first, _end_key(hour_ms, end_ms))

    def _pages(
        self, statement: str, project: str, span: _Span, page_rows: int
    ) -> Iterator[list[Found]]:
        """Pages of a partition, the next one asked for while the last one is worked on."""
        future = self._ask(statement, project, span, span.first, page_rows)
        while future is not None:
            with self._session.translating():
                found: list[Found] = future.result().current_rows
            future = None
            if len(found) == page_rows:
                future = self._ask(statement, project, span, _next_key(found[-1][0]), page_rows)
            yield found

    def _ask(self, statement: str, project: str, span: _Span, first: bytes, page_rows: int) -> Any:
        hour_ms, shard = span.partition
        with self._session.used() as (session, statements):
            bound = getattr(statements, statement).bind(
                (project, hour_ms, shard, first, span.end, page_rows)
            )
            bound.fetch_size = page_rows + 1  # one page of ours is one of the driver's
            return session.execute_async(bound, timeout=self._session.late_s())

    def _all(self, statement: str, values: tuple[Any, ...]) -> list[Found]:
        """Every row of a short answer."""
        with self._session.used() as (session, statements):
            late_s = self._session.late_s()
            return list(session.execute(getattr(statements, statement), values, timeout=late_s))


def _next_key(key: bytes) -> bytes:
    """The least bytes that come after these."""
    return key + b"\x00"


def _end_key(hour_ms: int, end_ms: int) -> bytes:
    if end_ms > LAST_HOUR_MS and hour_ms == LAST_HOUR_MS:
        return b"\xff" * 17  # after every key: the hour is cut short by the last time there is
    return first_key_at(min(hour_ms + HOUR_MS, end_ms))


def _no_counts() -> dict[str, list[int]]:
    return defaultdict(lambda: [0, 0])


def _hour_counts(hour_ms: int, counts: dict[str, list[int]]) -> Iterator[HourCount]:
    for event, (count, hash_sum) in sorted(counts.items()):
        yield HourCount(hour_ms, event, count, hash_sum)

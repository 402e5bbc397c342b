"""Reads warehouse and view side by side, a page of each at a time."""

import heapq
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from feed.event import first_key_at, key_hash
from replay.domain import Span
from replay.verification.comparison import Difference, HourPair, differences, hour_pairs
from replay.verification.refusals import is_refused
from timeseries.ports import DocumentHour, Entry, SeriesStore
from warehouse.ports import Checkpoint, EventStore, Partition, ScanWindow

PAGE_ROWS = 500
"""Rows of the warehouse, records and all, that are held of each shard."""
PAGE_ENTRIES = 5_000


@dataclass(frozen=True, slots=True)
class Sides:
    """One project in the warehouse and in one generation of the view. What it reads raises
    StoreUnavailable, SeriesUnavailable, QueryTimeout. `tick` is called again and again meanwhile,
    and what it raises passes through. `noted` gives those of some keys that the view is known to
    have refused, whatever can be said of them here."""

    project: str
    generation: int
    events: EventStore
    series: SeriesStore
    tick: Callable[[], object] = lambda: None
    noted: Callable[[Collection[bytes]], Collection[bytes]] = lambda _: ()

    def hours(self, span: Span) -> Iterator[HourPair]:
        """Figures by hour, ascending, of what lies in the span; hours without anything are
        absent."""
        window = ScanWindow(self.project, *span)
        shown = self.series.hours(self.project, *span, generation=self.generation)
        return hour_pairs(self.events.hours(window, tick=self.tick), self._ticking(shown))

    def _ticking(self, shown: Iterator[DocumentHour]) -> Iterator[DocumentHour]:
        """The view's store bounds the time of each step itself; an hour may take several."""
        for figures in shown:
            self.tick()
            yield figures

    def differences(self, span: Span, *, after: bytes | None) -> Iterator[Difference]:
        """The keys above `after` that differ, ascending, within a span of one hour."""
        return differences(self._stored(span, after), self._shown(span, after))

    def refused(self, found: Sequence[Difference]) -> set[bytes]:
        """The keys under which the view can never show what the warehouse holds."""
        versions = {each.key: each.warehouse.version for each in found if each.warehouse}
        refused: set[bytes] = set()
        every = list(versions)
        for start in range(0, len(every), PAGE_ROWS):
            keys = every[start : start + PAGE_ROWS]
            noted = self.noted(keys)
            rows = self.events.get(self.project, keys)
            self.tick()
            refused |= {
                key
                for key, row in rows.items()
                if row.version == versions[key] and (key in noted or is_refused(row.record))
            }
        return refused

    def _stored(self, span: Span, after: bytes | None) -> Iterator[Entry]:
        """The shards of an hour are in order each by itself."""
        shards = self.events.partitions(self.project, *span)
        return heapq.merge(*(self._of_shard(shard, span, after) for shard in shards))

    def _of_shard(self, shard: Partition, span: Span, after: bytes | None) -> Iterator[Entry]:
        window = ScanWindow(self.project, *span)
        start = Checkpoint(shard, after or first_key_at(shard.hour_ms))
        for page in self.events.scan(window, after=start, page_rows=PAGE_ROWS):
            self.tick()
            if page.checkpoint.partition != shard:
                return
            for row in page.rows:
                yield Entry(row.key, row.event, row.version, key_hash(row.key, row.version))

    def _shown(self, span: Span, after: bytes | None) -> Iterator[Entry]:
        while True:
            entries = self.series.entries(
                self.project,
                *span,
                generation=self.generation,
                after=after,
                limit=PAGE_ENTRIES,
            )
            self.tick()
            yield from entries
            if len(entries) < PAGE_ENTRIES:
                return
            after = entries[-1].key

"""The EventStore port: every event, for good. Cassandra and a local file are its adapters.

Guarantees common to every adapter: rows are identified by (project, key); of two rows with one key
the higher version
stays, whatever the order of the writes; what `append` returned for survives `kill -9` of every
process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

LOOK_ROWS = 10_000
"""Rows that a store looks at, at most, before whoever asked hears of it, wanted rows or not."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A stored event: the record's bytes verbatim beside what is needed to place and filter it."""

    project: str
    key: bytes
    event: str
    version: int
    record: bytes


class Partition(NamedTuple):
    """One partition of the store: an hour (ms since the epoch, a multiple of 3,600,000) and its
    shard."""

    hour_ms: int
    shard: int


class Checkpoint(NamedTuple):
    """Where a scan stands: everything wanted up to and including `last_key` of `partition` was
    delivered. No row need have that key."""

    partition: Partition
    last_key: bytes


@dataclass(frozen=True, slots=True)
class ScanWindow:
    """What to scan: times of occurrence in [start_ms, end_ms); `events` names, empty for all."""

    project: str
    start_ms: int
    end_ms: int
    events: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in key order within one partition, and the checkpoint that resumes after all that was
    looked at. Without rows it says how far a scan has come that finds nothing."""

    rows: Sequence[Row]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class HourCount:
    """Events of one hour and name: how many, and the sum of `feed.event.key_hash` over them."""

    hour_ms: int
    event: str
    count: int
    hash_sum: int


class EventStore(Protocol):
    """A handle on the warehouse for one process; thread-safe."""

    def append(self, rows: Iterable[Row]) -> None:
        """Store a batch durably. Idempotent: the same rows again, or older versions, change
        nothing. The first rows may be stored before the last is asked for.

        Raises StoreBackpressure or StoreUnavailable: nothing is promised, offer the whole batch
        again.
        """

    def scan(
        self, window: ScanWindow, *, after: Checkpoint | None = None, page_rows: int = 1000
    ) -> Iterator[Page]:
        """Pages in order of (partition, key), resumed after a checkpoint; memory is bounded by a
        page. None is later than LOOK_ROWS or `page_rows` rows, whichever is more, after the one
        before it: where no event has a wanted name, pages without rows come.

        Rows that arrive behind the scan's place are not seen. Raises StoreUnavailable between
        pages: resume from
        the last page's checkpoint.
        """

    def get(self, project: str, keys: Sequence[bytes]) -> Mapping[bytes, Row]:
        """The rows of these keys (at most 1,000 a call); absent keys are absent. Raises
        StoreUnavailable."""

    def partitions(self, project: str, start_ms: int, end_ms: int) -> Sequence[Partition]:
        """Partitions that may hold events of [start_ms, end_ms), ascending. Raises
        StoreUnavailable."""

    def hours(
        self, window: ScanWindow, *, tick: Callable[[], object] = lambda: None
    ) -> Iterator[HourCount]:
        """Exact counts and hash sums by (hour, event), ascending; hours and names without events
        are absent.

        `tick` is called in every hour, after LOOK_ROWS rows or fewer each time, wanted or not; what
        it raises ends the count and passes through. Raises StoreUnavailable.
        """

    def ensure(self) -> Sequence[str]:
        """Make tables that are missing; idempotent; one sentence for each thing made."""

    def ping(self, *, timeout_s: float) -> None:
        """Raises StoreUnavailable when the store cannot be reached in time."""

    def close(self) -> None:
        """Free what it holds; idempotent."""

"""The SeriesStore port: one document an event, and figures over them. Elasticsearch and a local
file are its adapters.

Guarantees common to every adapter: documents are identified by (generation, project, key); of two
with one key the
higher version stays, whatever the order of the writes; every figure is over the documents that
remain, so duplicates,
late events, corrections and replays change nothing but what they say. The same query gives the
same figures on every
adapter, approximate ones within the error they state. A partial answer is an error, never a figure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from timeseries.domain import Filter, SeriesQuery, StoreAnswer


class Document(NamedTuple):
    """An event as the view keeps it. Slots are numbers given by the generation's registry; values
    keep their order.

    A tuple, since one is made for every event: a frozen dataclass of so many fields takes six
    times as long. `hash24` is `feed.event.key_hash(key, version)`. `omitted` counts values that
    could not be indexed.
    """

    project: str
    key: bytes
    version: int
    occurred_at_ms: int
    event: str
    type: str
    user_id: str | None
    anonymous_id: str | None
    session_id: str | None
    strings: Mapping[int, tuple[str, ...]]
    numbers: Mapping[int, tuple[float, ...]]
    booleans: Mapping[int, tuple[bool, ...]]
    hash24: int
    omitted: int = 0


class Refused(NamedTuple):
    """A document that the store can never take, and why, in a sentence."""

    document: Document
    reason: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How a store likes to be written to: a write costs it something however small it is.

    The projector takes up to `batch_records` at a time, and less than `little_records` only
    every `spacing_s`; a first event after a pause never waits.
    """

    batch_records: int
    little_records: int
    spacing_s: float


@dataclass(frozen=True, slots=True)
class DocumentHour:
    """Documents of one hour and event name: how many, and the sum of their `hash24`."""

    hour_ms: int
    event: str
    count: int
    hash_sum: int


@dataclass(frozen=True, slots=True)
class EventSeen:
    """An event name, how many events have it, and the first and last time of occurrence (ms)."""

    event: str
    count: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class ValueSeen:
    """A value of a field and how many events have it."""

    value: str | float | bool
    count: int


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys newest first, each with its document's version; `next_key` resumes before it, None at
    the end."""

    keys: Sequence[tuple[bytes, int]]
    next_key: bytes | None


class Entry(NamedTuple):
    """What verification compares of a document."""

    key: bytes
    event: str
    version: int
    hash24: int


class SeriesStore(Protocol):
    """A handle on the view for one process; thread-safe."""

    @property
    def pace(self) -> Pace:
        """How it likes to be written to."""

    def write(
        self, parts: Iterable[Sequence[Document]], *, generations: Sequence[int]
    ) -> Sequence[Refused]:
        """Store documents durably in each generation; what it returned for is readable, but for
        what it gives back, which no other attempt would get in either. Idempotent.

        Parts are taken one by one, and the next is asked for while earlier ones are being stored:
        a caller that makes them as it goes holds a part or two, not all. Raises
        SeriesBackpressure or SeriesUnavailable: nothing is promised, offer everything again;
        whatever a part's making raises passes through.
        """

    def restore(
        self, parts: Iterable[Sequence[Document]], *, generations: Sequence[int]
    ) -> Sequence[Refused]:
        """As `write`, and dearer: of these documents those that were deleted or changed behind the
        store's back are afterwards as if that had not happened, and so are all figures."""

    def figures(self, query: SeriesQuery, *, generation: int, timeout_s: float) -> StoreAnswer:
        """The groups and points of a query whose fields are resolved to slots.

        Groups that tie are ordered by value: numbers, then strings by code point, false, true,
        absence. Without group fields there is one series, also of no events; with them, `other` is
        there only if it is asked for and has events. A sum beyond the range of doubles is None.
        An unresolved PropertyField (slot None) is a property that no document has. Raises
        QueryTimeout, SeriesUnavailable.
        """

    def keys(
        self,
        project: str,
        where: Filter,
        *,
        generation: int,
        from_ms: int,
        to_ms: int,
        before: bytes | None,
        limit: int,
    ) -> KeyPage:
        """Keys of matching documents in [from_ms, to_ms), newest first, those below `before`
        alone."""

    def versions(
        self, project: str, keys: Sequence[bytes], *, generation: int
    ) -> Mapping[bytes, int]:
        """Versions of the documents of these keys (at most 1,000 a call); absent keys are
        absent."""

    def hours(
        self, project: str, start_ms: int, end_ms: int, *, generation: int
    ) -> Iterator[DocumentHour]:
        """Exact counts and hash sums by (hour, event), ascending, over times in [start_ms,
        end_ms): always of the documents themselves, so that verification relies on no rollup."""

    def entries(
        self,
        project: str,
        start_ms: int,
        end_ms: int,
        *,
        generation: int,
        after: bytes | None,
        limit: int,
    ) -> Sequence[Entry]:
        """The first `limit` (at most 10,000) documents in [start_ms, end_ms), ascending by key,
        those above `after` alone; fewer where the range ends."""

    def events_seen(self, project: str, *, generation: int, limit: int) -> Sequence[EventSeen]:
        """Event names by count, descending."""

    def values_seen(
        self, query: SeriesQuery, *, generation: int, prefix: str, limit: int, timeout_s: float
    ) -> Sequence[ValueSeen]:
        """Values of the query's one group field that start with `prefix` (strings), by count,
        descending."""

    def data_version(self, project: str, *, generation: int) -> str:
        """An opaque text that changes with every change of the project's documents; ETags and
        polls compare it."""

    def ensure(self, generation: int) -> Sequence[str]:
        """Make what a generation needs; idempotent; one sentence for each thing made."""

    def drop(self, generation: int) -> None:
        """Free all that a generation holds, for good. From then on, in every process, whatever is
        asked of it raises GenerationDropped, and nothing of it comes into being again.

        Idempotent, and so completed by another call after a crash. Raises SeriesUnavailable.
        """

    def ping(self, *, timeout_s: float) -> None:
        """Raises SeriesUnavailable when the store cannot be reached in time."""

    def close(self) -> None:
        """Free what it holds; idempotent."""


class RecordSource(Protocol):
    """Where `/v1/query/events` gets whole events from: the composition root wires it to the event
    store."""

    def records(self, project: str, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """The record bytes of these keys (at most 1,000 a call); absent keys are absent. Raises
        RecordsUnavailable."""

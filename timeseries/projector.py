"""The projector: from deliveries of the feed to documents of the view, a batch at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from django.db import Error as DjangoDatabaseError
from django.db import close_old_connections

from feed.announcements import ChangedRange, merge_ranges
from feed.crash_points import reach
from feed.deliveries import Delivery, Poison
from feed.errors import Backpressure
from feed.event import HOUR_MS, Event, record_version
from timeseries.errors import SeriesBackpressure
from timeseries.generations import READER
from timeseries.ports import Document, Refused, SeriesStore
from timeseries.projection import UNPROJECTABLE, Flattened, document, flatten
from timeseries.slots import Observation, SlotRegistry, example_of, types_of

NOT_PROJECTABLE = "invalid_properties"
NOT_INDEXABLE = "refused_by_store"
MINUTE_MS = 60_000
MAX_RANGES = 1_000
"""Changed minutes that are told one by one; more are told as hours."""
DATABASE_RETRY_S = 1.0
CHUNK_CHARS = 4 * 1024 * 1024
"""JSON that is taken apart at a time: ten times as much memory while it is."""
CHUNK_RECORDS = 2_000
"""Records whose documents are in memory at a time."""


class _Ready(NamedTuple):
    """An event whose properties are read."""

    event: Event
    flattened: Flattened
    version: int


class Projector:
    """A Handler (feed.deliveries) that is Announcing: what `handle` returned for is readable."""

    def __init__(self, store: SeriesStore, slots: SlotRegistry, *, restores: bool = False) -> None:
        """`restores`: what was damaged in the view is mended, too."""
        self._store, self._slots = store, slots
        self._restores = restores
        self._changes: list[ChangedRange] = []
        self._ensured: set[int] = set()

    def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
        """Write the documents of a batch into every generation that is written.

        Returns the deliveries whose properties are no JSON objects, which ingest never admits, and
        those whose documents the store refuses. Raises Backpressure while the store or the
        registry's database can't take them.
        """
        return self.project(lambda _generation: batch)

    def project(self, part_for: Callable[[int], Iterable[Delivery] | None]) -> Sequence[Poison]:
        """As `handle`, of what is for each generation; None writes nothing. The newest is asked for
        first."""
        reach("projector.before_write")
        poison: dict[int, Poison] = {}
        changes: list[ChangedRange] = []
        try:
            generations = READER.current()
            for generation in reversed(generations.written):
                part = part_for(generation)
                if part is not None:
                    is_seen = generation == generations.served
                    poison |= self._write(part, generation, changes if is_seen else [])
        except SeriesBackpressure as exc:
            raise Backpressure(str(exc), retry_after_s=exc.retry_after_s) from exc
        except DjangoDatabaseError as exc:
            close_old_connections()  # one that broke is opened anew
            raise Backpressure(
                f"the database does not give slots now: {exc}", retry_after_s=DATABASE_RETRY_S
            ) from exc
        self._changes += changes
        reach("projector.after_write")
        return list(poison.values())

    def take_changes(self) -> Sequence[ChangedRange]:
        """The ranges whose figures may have changed since the last call."""
        changes, self._changes = merge_ranges(self._changes), []
        return changes

    def _write(
        self, batch: Iterable[Delivery], generation: int, changes: list[ChangedRange]
    ) -> dict[int, Poison]:
        """What is refused for good, by id of the record; `changes` gets what readers will see."""
        self._ensure(generation)
        poison: dict[int, Poison] = {}
        parts = self._parts(batch, generation, poison, changes)
        write = self._store.restore if self._restores else self._store.write
        refused = write(parts, generations=(generation,))  # 3 readable
        return poison | _poison_of(batch, refused)

    def _ensure(self, generation: int) -> None:
        """A generation may come while we run, and the store may have been away when we began."""
        if generation not in self._ensured:
            self._store.ensure(generation)
            self._ensured.add(generation)

    def _parts(
        self,
        batch: Iterable[Delivery],
        generation: int,
        poison: dict[int, Poison],
        changes: list[ChangedRange],
    ) -> Iterator[Sequence[Document]]:
        """The batch's documents; what can't be projected goes to `poison`."""
        for part in _chunks(batch):
            ready = _flattened(part, poison)
            changes += _changed(ready)
            yield self._documents(ready, generation)  # 1 slots committed, 2 projected

    def _documents(self, ready: Sequence[_Ready], generation: int) -> list[Document]:
        projects: dict[str, list[_Ready]] = {}
        for each in ready:
            projects.setdefault(each.event.project, []).append(each)
        documents: list[Document] = []
        for project, members in projects.items():
            documents += self._documents_of(project, members, generation)
        return documents

    def _documents_of(
        self, project: str, ready: Sequence[_Ready], generation: int
    ) -> list[Document]:
        slots = self._slots.assign(project, (), generation)
        unknown = [each for each in ready if not each.flattened.values.keys() <= slots.keys()]
        if unknown:
            names = dict.fromkeys(name for each in unknown for name in each.flattened.values)
            slots = self._slots.assign(project, names, generation)
        documents = [
            document(event, flattened, version=version, slot_of=slots)
            for event, flattened, version in ready
        ]
        kinds = self._slots.kinds(project, generation)
        news = unknown + [
            each
            for each, found in zip(ready, documents, strict=True)
            if each.flattened.has_several or not kinds.cover(found)
        ]
        if news:
            self._slots.observe(project, _observations(news), generation)
        return documents


def _chunks(batch: Iterable[Delivery]) -> Iterator[Sequence[Delivery]]:
    """The batch in parts of CHUNK_RECORDS, or fewer where those have much to take apart."""
    chunk: list[Delivery] = []
    chars = 0
    for delivery in batch:
        size = len(delivery.event.properties) + len(delivery.event.context)
        if chunk and (chars + size > CHUNK_CHARS or len(chunk) == CHUNK_RECORDS):
            yield chunk
            chunk, chars = [], 0
        chunk.append(delivery)
        chars += size
    yield chunk


def _observations(ready: Sequence[_Ready]) -> dict[str, Observation]:
    """The types of every property of these events, and an example."""
    seen: dict[str, Observation] = {}
    for each in ready:
        for name, value in each.flattened.values.items():
            types = types_of(value)
            if name not in seen:
                seen[name] = Observation(types, example_of(value))
            elif not types <= seen[name].types:
                seen[name] = Observation(types | seen[name].types, seen[name].example)
    return seen


def _flattened(batch: Sequence[Delivery], poison: dict[int, Poison]) -> list[_Ready]:
    ready: list[_Ready] = []
    for delivery in batch:
        event = delivery.event
        version = record_version(event.received_at_ms, delivery.record.value)
        try:
            ready.append(_Ready(event, flatten(event), version))
        except UNPROJECTABLE as exc:
            poison[id(delivery.record)] = Poison(delivery, NOT_PROJECTABLE, str(exc))
    return ready


def _poison_of(batch: Iterable[Delivery], refused: Sequence[Refused]) -> dict[int, Poison]:
    """The deliveries that gave these documents: several, when one came twice."""
    if not refused:
        return {}
    reasons = {(each.document.project, each.document.key): each for each in refused}
    poison: dict[int, Poison] = {}
    for delivery in batch:
        event = delivery.event
        found = reasons.get((event.project, event.key))
        if found and found.document.version == record_version(
            event.received_at_ms, delivery.record.value
        ):
            poison[id(delivery.record)] = Poison(delivery, NOT_INDEXABLE, found.reason)
    return poison


def _changed(ready: Sequence[_Ready]) -> list[ChangedRange]:
    """The minutes that the batch touches, or the hours where those would be many."""
    minutes = _spans(ready, MINUTE_MS)
    return minutes if len(minutes) <= MAX_RANGES else _spans(ready, HOUR_MS)


def _spans(ready: Sequence[_Ready], width_ms: int) -> list[ChangedRange]:
    touched = {(event.project, event.occurred_at_ms // width_ms) for event, _, _ in ready}
    return merge_ranges(
        ChangedRange(project, index * width_ms, (index + 1) * width_ms)
        for project, index in touched
    )

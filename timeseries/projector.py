"""The projector: from deliveries of the feed to documents of the view, a batch at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import Error as DjangoDatabaseError
from django.db import close_old_connections

from feed.announcements import ChangedRange, merge_ranges
from feed.consumer import Delivery, Poison
from feed.crash_points import reach
from feed.errors import Backpressure
from feed.event import HOUR_MS, record_version
from timeseries.errors import SeriesBackpressure
from timeseries.generations import written_generations
from timeseries.ports import Document, SeriesStore
from timeseries.projection import Flattened, document, flatten
from timeseries.slots import Observation, SlotRegistry

NOT_PROJECTABLE = "invalid_properties"
MINUTE_MS = 60_000
MAX_RANGES = 1_000
"""Changed minutes that are told one by one; more are told as hours."""
DATABASE_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Ready:
    """A delivery whose properties are read."""

    delivery: Delivery
    flattened: Flattened
    version: int


class Projector:
    """A Handler (feed.consumer) that is Announcing: what `handle` returned for is readable."""

    def __init__(self, store: SeriesStore, slots: SlotRegistry) -> None:
        self._store, self._slots = store, slots
        self._changes: list[ChangedRange] = []

    def handle(self, batch: Sequence[Delivery]) -> Sequence[Poison]:
        """Write the documents of a batch into every generation that is written.

        Returns the deliveries whose properties are no JSON objects, which ingest never admits.
        Raises Backpressure while the store or the registry's database can't take them.
        """
        ready, poison = _flattened(batch)
        reach("projector.before_write")
        try:
            for generation in written_generations():
                documents = self._documents(ready, generation)  # 1 slots committed, 2 projected
                self._store.write(documents, generations=(generation,))  # 3 durably readable
        except SeriesBackpressure as exc:
            raise Backpressure(str(exc), retry_after_s=exc.retry_after_s) from exc
        except DjangoDatabaseError as exc:
            close_old_connections()  # one that broke is opened anew
            raise Backpressure(
                f"the database does not give slots now: {exc}", retry_after_s=DATABASE_RETRY_S
            ) from exc
        reach("projector.after_write")
        self._changes += _changed(ready)
        return poison

    def take_changes(self) -> Sequence[ChangedRange]:
        """The ranges whose figures may have changed since the last call."""
        changes, self._changes = merge_ranges(self._changes), []
        return changes

    def _documents(self, ready: Sequence[_Ready], generation: int) -> list[Document]:
        names_of = _names(ready)
        slots_of = {
            project: self._slots.assign(project, names, generation)
            for project, names in names_of.items()
        }
        self._observe(ready, generation)
        return [
            document(
                each.delivery.event,
                each.flattened,
                version=each.version,
                slot_of=slots_of[each.delivery.event.project],
            )
            for each in ready
        ]

    def _observe(self, ready: Sequence[_Ready], generation: int) -> None:
        """Types that a property was not seen with; nothing in nearly every batch."""
        news: dict[str, dict[str, Observation]] = {}
        for each in ready:
            project: str = each.delivery.event.project
            known = self._slots.types_known(project, generation)
            for name, values in each.flattened.values.items():
                types = _types(values)
                if not types <= known.get(name, _NO_TYPES):
                    seen = news.setdefault(project, {}).get(name)
                    types |= seen.types if seen else _NO_TYPES
                    news[project][name] = Observation(types, values[0])
        for project, observations in news.items():
            self._slots.observe(project, observations, generation)


_NO_TYPES: frozenset[str] = frozenset()
_TYPE_NAMES: Mapping[type, frozenset[str]] = {
    str: frozenset({"string"}),
    float: frozenset({"number"}),
    bool: frozenset({"boolean"}),
}


def _types(values: Sequence[object]) -> frozenset[str]:
    if len(values) == 1:
        return _TYPE_NAMES[type(values[0])]
    return frozenset({"array"}).union(*(_TYPE_NAMES[type(value)] for value in values))


def _flattened(batch: Sequence[Delivery]) -> tuple[list[_Ready], list[Poison]]:
    ready: list[_Ready] = []
    poison: list[Poison] = []
    for delivery in batch:
        event = delivery.event
        version = record_version(event.received_at_ms, delivery.record.value)
        try:
            ready.append(_Ready(delivery, flatten(event), version))
        except (ValueError, RecursionError) as exc:
            poison.append(Poison(delivery, NOT_PROJECTABLE, str(exc)))
    return ready, poison


def _names(ready: Sequence[_Ready]) -> dict[str, dict[str, None]]:
    """The property names of each project, in the order of their coming."""
    names: dict[str, dict[str, None]] = {}
    for each in ready:
        names.setdefault(each.delivery.event.project, {}).update(
            dict.fromkeys(each.flattened.values)
        )
    return names


def _changed(ready: Sequence[_Ready]) -> list[ChangedRange]:
    """The minutes that the batch touches, or the hours where those would be many."""
    minutes = _spans(ready, MINUTE_MS)
    return minutes if len(minutes) <= MAX_RANGES else _spans(ready, HOUR_MS)


def _spans(ready: Sequence[_Ready], width_ms: int) -> list[ChangedRange]:
    touched = {
        (each.delivery.event.project, each.delivery.event.occurred_at_ms // width_ms)
        for each in ready
    }
    return merge_ranges(
        ChangedRange(project, index * width_ms, (index + 1) * width_ms)
        for project, index in touched
    )

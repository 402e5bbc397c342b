"""Where one event is: stored, projected, refused. Stands on the ports; null means not seen yet."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from feed.codec import decode
from feed.errors import UndecodableRecord, UnknownSchema
from feed.event import Event, EventKey, key_text
from operations.dead_letter_rows import DeadLetterRow
from timeseries.generations import served_generation
from timeseries.ports import SeriesStore
from warehouse.ports import EventStore

MAX_LETTERS = 100


@dataclass(frozen=True, slots=True)
class Stored:
    """The event as the warehouse has it; `record` is None where this Weir cannot read its bytes."""

    event: str
    version: int
    record: Event | None


@dataclass(frozen=True, slots=True)
class Projected:
    """The event's document in the generation that is served."""

    generation: int
    version: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What each part knows of one event, and its dead letters, newest first."""

    key: str
    stored: Stored | None
    projected: Projected | None
    dead_letters: Sequence[DeadLetterRow]


def trace(
    project: str,
    key: EventKey,
    *,
    event_id: str | None,
    events: EventStore,
    series: SeriesStore,
) -> Trace:
    """Look the event up in its own project. Letters that name no key are found by `event_id`.

    Raises StoreUnavailable, SeriesUnavailable.
    """
    stored = _stored(events, project, key)
    if event_id is None and stored is not None and stored.record is not None:
        event_id = stored.record.id
    return Trace(
        key=key_text(key),
        stored=stored,
        projected=_projected(series, project, key),
        dead_letters=_dead_letters(project, key, event_id),
    )


def _stored(events: EventStore, project: str, key: EventKey) -> Stored | None:
    row = events.get(project, [key]).get(key)
    if row is None:
        return None
    try:
        return Stored(row.event, row.version, decode(row.record))
    except (UnknownSchema, UndecodableRecord):
        return Stored(row.event, row.version, None)


def _projected(series: SeriesStore, project: str, key: EventKey) -> Projected | None:
    generation = served_generation()
    version = series.versions(project, [key], generation=generation).get(key)
    return None if version is None else Projected(generation, version)


def _dead_letters(project: str, key: EventKey, event_id: str | None) -> list[DeadLetterRow]:
    of_event = Q(event_key=key_text(key))
    if event_id is not None:
        of_event |= Q(event_key="", event_id=event_id)
    letters = DeadLetterRow.objects.filter(of_event, project=project).defer("payload")
    return list(letters[:MAX_LETTERS])

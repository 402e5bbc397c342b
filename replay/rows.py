"""From a row to the values of the domain and back."""

from typing import NamedTuple

from access.lookups import project_names
from feed.event import LAST_KEY_MS
from replay.domain import Mode, Rate, Source, Span
from replay.models import Replay
from warehouse.ports import Checkpoint, Partition, ScanWindow

ALL_TIMES = (Span(0, LAST_KEY_MS),)


class Cursor(NamedTuple):
    """Everything of the projects before `project`, of its spans before `span`, and of that one up
    to and including the checkpoint."""

    project: str
    span: int
    checkpoint: Checkpoint


def sources_of(row: Replay) -> list[Source]:
    """What it replays, ascending by project. Of a rebuild that is every project as of now: one that
    comes later has its first event after the pins, so live writes bring all of it."""
    if row.mode == Mode.NEW_GENERATION.value:
        return [Source(name, ALL_TIMES) for name in project_names()]
    return [source_of(row)]


def source_of(row: Replay) -> Source:
    """Of a replay in place: the spans as rows keep them, the whole range where they keep none."""
    spans = tuple(Span(from_ms, to_ms) for from_ms, to_ms in row.spans)
    return Source(row.project, spans or (Span(row.from_ms, row.to_ms),), tuple(row.events))


def rate_of(row: Replay) -> Rate:
    """The rate in force."""
    return Rate(row.max_eps, row.auto)


def windows(source: Source) -> list[ScanWindow]:
    """One a span, in order."""
    names = frozenset(source.events)
    return [ScanWindow(source.project, span.from_ms, span.to_ms, names) for span in source.spans]


def cursor_of(row: Replay) -> Cursor | None:
    """Where the scan goes on; None at the start."""
    if row.cursor is None:
        return None
    span, hour_ms, shard, key, *project = row.cursor
    checkpoint = Checkpoint(Partition(hour_ms, shard), bytes.fromhex(key))
    return Cursor(project[0] if project else row.project, span, checkpoint)


def cursor_as_json(cursor: Cursor) -> list[object]:
    """As a row keeps it."""
    partition, key = cursor.checkpoint
    return [cursor.span, partition.hour_ms, partition.shard, key.hex(), cursor.project]

"""From a row to the values of the domain and back."""

from typing import NamedTuple

from replay.domain import Rate, Source, Span
from replay.models import Replay
from warehouse.ports import Checkpoint, Partition, ScanWindow


class Cursor(NamedTuple):
    """Everything of the spans before `span`, and of it up to and including the checkpoint."""

    span: int
    checkpoint: Checkpoint


def source_of(row: Replay) -> Source:
    """The spans as rows keep them; the whole range where they keep none."""
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
    span, hour_ms, shard, key = row.cursor
    return Cursor(span, Checkpoint(Partition(hour_ms, shard), bytes.fromhex(key)))


def cursor_as_json(cursor: Cursor) -> list[object]:
    """As a row keeps it."""
    partition, key = cursor.checkpoint
    return [cursor.span, partition.hour_ms, partition.shard, key.hex()]

"""Samples of the pipeline's positions, kept in the Django database: one each five seconds, an hour
of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feed.ports import Feed
from feed.topics import CONSTANT_READERS, Group, Topic
from operations.models import PipelineSample

STEP_MS = 5_000
KEPT_MS = 3_600_000
RECENT_COUNT = 24  # two minutes: enough for every rule of lag_states.py

Ends = Mapping[str, Mapping[int, int]]
"""By topic and partition: the log's end."""

Positions = Mapping[str, Mapping[int, int]]
"""By group (each reads one topic) and partition: the committed position; absent where none is."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every end and every committed position at one moment."""

    taken_at_ms: int
    ends: Ends
    positions: Positions


READERS: Sequence[tuple[Group, Topic]] = tuple(
    (group, topic) for topic, groups in CONSTANT_READERS.items() for group in groups
)
"""Every consumer group with the topic it reads."""


def take(feed: Feed, *, now_ms: int) -> Snapshot:
    """The pipeline's positions now. Raises FeedUnavailable."""
    topics = {topic for _, topic in READERS}
    # Positions first: read the other way round, a busy reader would seem to be past the end.
    positions = {
        group.value: {
            partition: committed.position
            for partition, committed in feed.committed(group, topic).items()
        }
        for group, topic in READERS
    }
    ends = {
        topic.value: {partition: bound.end for partition, bound in feed.bounds(topic).items()}
        for topic in sorted(topics)
    }
    return Snapshot(now_ms, ends, positions)


def keep(snapshot: Snapshot) -> None:
    """Store the snapshot unless this five-second slot has one, and forget those over an hour
    old."""
    slot = snapshot.taken_at_ms // STEP_MS
    if PipelineSample.objects.filter(slot=slot).exists():
        return
    row = PipelineSample(
        slot=slot,
        taken_at_ms=snapshot.taken_at_ms,
        positions={"ends": snapshot.ends, "positions": snapshot.positions},
    )
    PipelineSample.objects.bulk_create([row], ignore_conflicts=True)
    oldest = (snapshot.taken_at_ms - KEPT_MS) // STEP_MS
    PipelineSample.objects.filter(slot__lt=oldest).delete()


def kept_since(since_ms: int) -> list[Snapshot]:
    """Snapshots taken at or after a time, oldest first."""
    rows = PipelineSample.objects.filter(slot__gte=since_ms // STEP_MS, taken_at_ms__gte=since_ms)
    return [_snapshot(row) for row in rows.order_by("slot")]


def _snapshot(row: PipelineSample) -> Snapshot:
    return Snapshot(
        row.taken_at_ms,
        _whole_numbers(row.positions["ends"]),
        _whole_numbers(row.positions["positions"]),
    )


def _whole_numbers(kept: Mapping[str, Mapping[str, int]]) -> dict[str, dict[int, int]]:
    """JSON has text for keys; partitions are numbers."""
    return {
        name: {int(partition): number for partition, number in numbers.items()}
        for name, numbers in kept.items()
    }

"""Samples of the pipeline's lag, kept in the Django database: one each five seconds, an hour of
them. So a page, a command and a process that has just started know how the pipeline moves."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from feed.lag import PartitionLag, partition_lags
from feed.ports import Feed
from feed.topics import CONSTANT_READERS, Group, Topic
from operations.models import PipelineSample

STEP_MS = 5_000
KEPT_MS = 3_600_000

READERS: Sequence[tuple[Group, Topic]] = tuple(
    (group, topic) for topic, groups in CONSTANT_READERS.items() for group in groups
)
"""Every consumer group with the topic that it reads."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every group's standing in every partition, at one moment."""

    taken_at_ms: int
    lags: Sequence[PartitionLag]


def take(feed: Feed, *, now_ms: int) -> Snapshot:
    """The pipeline's standing now. Raises FeedUnavailable."""
    lags = [
        lag for group, topic in READERS for lag in partition_lags(feed, group, topic, now_ms=now_ms)
    ]
    return Snapshot(now_ms, lags)


def keep(snapshot: Snapshot) -> None:
    """Store the snapshot unless this five-second slot has one, and forget those over an hour
    old."""
    slot = snapshot.taken_at_ms // STEP_MS
    if PipelineSample.objects.filter(slot=slot).exists():
        return
    row = PipelineSample(
        slot=slot,
        taken_at_ms=snapshot.taken_at_ms,
        lags=[astuple(lag) for lag in snapshot.lags],
    )
    PipelineSample.objects.bulk_create([row], ignore_conflicts=True)
    PipelineSample.objects.filter(slot__lt=slot - KEPT_MS // STEP_MS).delete()


def kept_since(since_ms: int) -> list[Snapshot]:
    """Snapshots taken at or after a time, oldest first."""
    rows = PipelineSample.objects.filter(slot__gte=since_ms // STEP_MS, taken_at_ms__gte=since_ms)
    return [
        Snapshot(row.taken_at_ms, [PartitionLag(*members) for members in row.lags])
        for row in rows.order_by("slot")
    ]

"""How far a group is behind, in records and seconds, and up to when it is complete."""

from dataclasses import dataclass

from feed.ports import Committed, Feed, PartitionBounds, TopicPartition

APPEND_SLACK_MS = 250
"""A record is stamped a moment before others can read it. Claims about "everything appended
before" stay this far behind the clock."""


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """A group's standing in a partition. `committed` is None where it never committed; `lag` is
    in records, `lag_seconds` how long the oldest unhandled record has waited, 0 without one."""

    group: str
    topic: str
    partition: int
    start: int
    committed: int | None
    committed_at_ms: int | None
    end: int
    lag: int
    lag_seconds: float


def partition_lags(feed: Feed, group: str, topic: str, *, now_ms: int) -> list[PartitionLag]:
    """One a partition, ascending. Raises FeedUnavailable."""
    committed = feed.committed(group, topic)  # before the ends, so that no position is past one
    bounds = feed.bounds(topic)
    return [
        _partition_lag(
            feed,
            group,
            TopicPartition(topic, partition),
            held=committed.get(partition),
            bounds=bounds[partition],
            now_ms=now_ms,
        )
        for partition in sorted(bounds)
    ]


def _partition_lag(
    feed: Feed,
    group: str,
    where: TopicPartition,
    *,
    held: Committed | None,
    bounds: PartitionBounds,
    now_ms: int,
) -> PartitionLag:
    position = bounds.position_of(held)
    lag = max(0, bounds.end - position)
    appended_ms = feed.appended_at_ms(where, position) if lag else None
    waited_ms = 0 if appended_ms is None else max(0, now_ms - appended_ms)
    return PartitionLag(
        group=str(group),
        topic=str(where.topic),
        partition=where.partition,
        start=bounds.start,
        committed=None if held is None else held.position,
        committed_at_ms=None if held is None else held.committed_at_ms,
        end=bounds.end,
        lag=0 if appended_ms is None else lag,  # offsets may have gaps: no record, no lag
        lag_seconds=waited_ms / 1000,
    )


def complete_through_ms(feed: Feed, group: str, topic: str, *, now_ms: int) -> int:
    """Every record that was appended before this time has been handled by the group.

    `now_ms` is read before the call. Append times never go back within a partition, so that a
    partition is complete up to its first unhandled record. Raises FeedUnavailable.
    """
    through_ms = now_ms - APPEND_SLACK_MS
    for lag in partition_lags(feed, group, topic, now_ms=now_ms):
        if lag.lag:
            through_ms = min(through_ms, now_ms - round(lag.lag_seconds * 1000))
    return through_ms

"""Pins: written down once a partition, the position from which on a lane does something new with
it, whoever owns it then. Knows not what is new: the lane's `pins` do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from feed.crash_points import reach
from feed.ports import Feed, FeedConsumer, TopicPartition
from feed.topics import Group, Topic


@dataclass(frozen=True, slots=True)
class Missing:
    """Partitions without a pin `of` something numbered, as it was known at one moment."""

    of: int
    partitions: frozenset[TopicPartition]


class Pins(Protocol):
    """What a lane has to pin. Raises Backpressure while it cannot be told."""

    def on_assigned(self) -> None:
        """Partitions came: what is known by heart is older than that, look again before the first
        record of them is handled."""

    def missing(self, partitions: frozenset[TopicPartition]) -> Missing | None:
        """What there is to pin, None for nothing. Cheap: it is asked after every turn."""

    def pin(self, missing: Missing, positions: Mapping[TopicPartition, int]) -> None:
        """Write these positions down; a pin that is there stays."""


def keep_pins(
    pins: Pins,
    assigned: frozenset[TopicPartition],
    *,
    feed: Feed,
    consumer: FeedConsumer,
    group: Group,
    topic: Topic,
) -> None:
    """Pin what is missing where the group stands. Call it with nothing in hand.

    The commit moves nothing, it proves that the partitions are ours after `missing` was told: who
    owns one later was assigned it later, looks again then, and does the new thing from its first
    record on. Raises Fenced and Backpressure: nothing is pinned.
    """
    missing = pins.missing(assigned)
    if missing is None:
        return
    positions = _standing(feed, group, topic, missing.partitions)
    if positions:
        consumer.commit(positions)
        reach("pins.committed_before_pinned")
        pins.pin(missing, positions)
        reach("pins.after_pinned")


def _standing(
    feed: Feed, group: Group, topic: Topic, partitions: frozenset[TopicPartition]
) -> dict[TopicPartition, int]:
    """Where the group goes on in each. Without a position that is the start of the log, as long as
    nothing was lost before it: what was, a poll says."""
    committed = feed.committed(group, topic)
    bounds = feed.bounds(topic)
    positions: dict[TopicPartition, int] = {}
    for where in partitions:
        held = committed.get(where.partition)
        if held is not None:
            positions[where] = held.position
        elif bounds[where.partition].start == 0:
            positions[where] = 0
    return positions

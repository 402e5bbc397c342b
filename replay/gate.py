"""What a rebuild waits for before it scans: design.md's pins, and the sink past them.

The projector writes the new generation from a pinned position of each partition on. What lies
before comes from the warehouse alone, so it must be in there before the scan begins.
"""

import threading
from collections.abc import Callable

from feed.clock import Clock
from feed.errors import FeedError
from feed.ports import Feed, TopicPartition
from feed.topics import Group, Topic
from replay.domain import State, Throttle
from replay.leases import Lease
from replay.tending import Held, Tending, Unattended
from timeseries.lifecycle import is_building, pins

LOOK_S = 0.25


class Gate:
    """Of one claimed rebuild. Used from one thread."""

    def __init__(
        self,
        lease: Lease,
        generation: int,
        *,
        feed: Feed,
        stop: threading.Event,
        clock: Clock,
        waits_for_workers: bool,
        others: Callable[[], object] = lambda: None,
    ) -> None:
        """`waits_for_workers`: also for projectors and sinks that do not run."""
        self._generation, self._feed = generation, feed
        self._waits_for_workers = waits_for_workers
        self._held = Held(clock.monotonic_s)
        self._tending = Tending(
            *(lease, State.RUNNING),
            stop=stop,
            clock=clock,
            columns=lambda: {"throttled_by": self._held.tell()},
            others=others,
            gives_way=True,
        )

    def wait(self) -> None:
        """Return once the scan may begin. Raises Interrupted, LeaseLost, Unattended."""
        while (cause := self._cause()) is not None:
            self._held.note(cause, LOOK_S)
            self._tending.nap(LOOK_S)

    def _cause(self) -> Throttle | None:
        try:
            cause = missing(self._feed, self._generation)
            if cause is not None and not self._waits_for_workers:
                self._leave_unattended(cause)
        except FeedError:
            return Throttle.FEED
        return cause

    def _leave_unattended(self, cause: Throttle) -> None:
        groups = (Group.SINK,) if cause is Throttle.SINK else _PINNING
        if not all(self._feed.has_members(group) for group in groups):
            raise Unattended(cause)


_PINNING = (Group.PROJECTOR, Group.PROJECTOR_HISTORY)


def missing(feed: Feed, generation: int) -> Throttle | None:
    """What the scan of a rebuild lacks: PINS, or the SINK that has not passed them; None when it
    may begin. A partition that came after the generation was ready needs no pin: it is written into
    it from its first record on. Raises FeedUnavailable."""
    pinned = pins(generation)
    bounds = {topic: feed.bounds(topic) for topic in (Topic.EVENTS, Topic.HISTORY)}
    partitions = {TopicPartition(topic, part) for topic, each in bounds.items() for part in each}
    if not partitions <= pinned.keys() and is_building(generation):
        return Throttle.PINS
    committed = feed.committed(Group.SINK, Topic.EVENTS)
    for part, bound in bounds[Topic.EVENTS].items():
        position = bound.position_of(committed.get(part))
        if position < pinned.get(TopicPartition(Topic.EVENTS, part), 0):
            return Throttle.SINK
    return None

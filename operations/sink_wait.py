"""Waits until the warehouse has what the feed holds as of now."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from feed.ports import Feed
from feed.topics import Group, Topic

LOOK_S = 0.1
TELL_S = 2.0
GRACE_S = 10.0
"""How long no member of the sink's group is borne: one that is started anew is back by then."""


class SinkBehind(Exception):
    """The warehouse does not have everything, and waiting longer was not asked for or is vain."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long to wait, how long without any sink, and who is told the records left, now and
    then."""

    limit_s: float
    tell: Callable[[int], None]
    grace_s: float = GRACE_S


def wait_for_sink(
    feed: Feed, waiting: Waiting, *, clock: Callable[[], float] = time.monotonic
) -> None:
    """Return once the sink has committed past the end that topic events has at the call.

    Raises SinkBehind, FeedUnavailable.
    """
    ends = {part: bounds.end for part, bounds in feed.bounds(Topic.EVENTS).items()}
    started_s = seen_s = clock()
    told_s = float("-inf")
    while left := _left(feed, ends):
        now_s = clock()
        if feed.has_members(Group.SINK):
            seen_s = now_s
        _check(left, now_s=now_s, started_s=started_s, seen_s=seen_s, waiting=waiting)
        if now_s - told_s >= TELL_S:
            told_s = now_s
            waiting.tell(left)
        time.sleep(LOOK_S)


def _left(feed: Feed, ends: Mapping[int, int]) -> int:
    committed = feed.committed(Group.SINK, Topic.EVENTS)
    starts = {part: bounds.start for part, bounds in feed.bounds(Topic.EVENTS).items()}
    total = 0
    for partition, end in ends.items():
        held = committed.get(partition)
        total += max(0, end - (starts[partition] if held is None else held.position))
    return total


def _check(left: int, *, now_s: float, started_s: float, seen_s: float, waiting: Waiting) -> None:
    if now_s > seen_s and now_s - seen_s >= min(waiting.grace_s, waiting.limit_s):
        raise SinkBehind(
            f"no warehouse sink runs, and {left} records of the feed are not in the warehouse yet: "
            "start manage.py run_warehouse_sink (or run it with --once), then export again"
        )
    if now_s - started_s >= waiting.limit_s:
        raise SinkBehind(
            f"after {waiting.limit_s:g} s {left} records of the feed are not in the warehouse yet: "
            "export again later, or with a longer --wait"
        )

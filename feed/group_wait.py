"""Waits until readers of topic events have handled what the feed holds as of now."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from feed.ports import Feed
from feed.topics import Group, Topic

LOOK_S = 0.1
TELL_S = 2.0
GRACE_S = 10.0
"""How long no member of a group is borne: one that is started anew is back by then."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """A group that reads topic events: its worker, the command of it, and where events go."""

    worker: str
    command: str
    target: str


_READERS: Mapping[Group, _Reader] = {
    Group.SINK: _Reader("warehouse sink", "run_warehouse_sink", "warehouse"),
    Group.PROJECTOR: _Reader("projector", "run_projector", "view"),
}


class GroupsBehind(Exception):
    """A group has not handled everything, and waiting longer was not asked for or is vain."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long to wait, how long for a group without any member, and who is told now and then how
    many records are left to the group that has most."""

    limit_s: float
    tell: Callable[[Group, int], None]
    grace_s: float = GRACE_S


def wait_for_groups(
    feed: Feed,
    groups: Sequence[Group],
    waiting: Waiting,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return once each of the groups, readers of topic events, has committed past the end that
    the topic has at the call.

    Raises GroupsBehind, FeedUnavailable.
    """
    ends = {part: bounds.end for part, bounds in feed.bounds(Topic.EVENTS).items()}
    started_s = clock()
    seen_s = dict.fromkeys(groups, started_s)
    told_s = float("-inf")
    while behind := _behind(feed, groups, ends):
        now_s = clock()
        for group, left in behind.items():
            if feed.has_members(group):
                seen_s[group] = now_s
            waits_s, without_s = now_s - started_s, now_s - seen_s[group]
            _check(group, left, waits_s=waits_s, without_s=without_s, waiting=waiting)
        if now_s - told_s >= TELL_S:
            told_s = now_s
            waiting.tell(*max(behind.items(), key=lambda item: item[1]))
        time.sleep(LOOK_S)


def _behind(feed: Feed, groups: Sequence[Group], ends: Mapping[int, int]) -> dict[Group, int]:
    """How many records are left to each group that has not passed the ends."""
    bounds = feed.bounds(Topic.EVENTS)
    left: dict[Group, int] = {}
    for group in groups:
        committed = feed.committed(group, Topic.EVENTS)
        for partition, end in ends.items():
            position = bounds[partition].position_of(committed.get(partition))
            if position < end:
                left[group] = left.get(group, 0) + end - position
    return left


def _check(group: Group, left: int, *, waits_s: float, without_s: float, waiting: Waiting) -> None:
    reader = _READERS[group]
    missing = f"{left} records of the feed are not in the {reader.target} yet"
    if without_s > 0 and without_s >= min(waiting.grace_s, waiting.limit_s):
        raise GroupsBehind(
            f"no {reader.worker} runs, and {missing}: start manage.py {reader.command} (or run it "
            "with --once), then try again"
        )
    if waits_s >= waiting.limit_s:
        raise GroupsBehind(
            f"after {waiting.limit_s:g} s {missing}: try again later, or with a longer --wait"
        )

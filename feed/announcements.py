"""Topic `changes`: who has passed which positions, and which figures changed.

A record's value is JSON, one of
    {"kind": "passed", "group": "projector", "positions": [["events", 0, 118], ...]}
    {"kind": "changed", "ranges": [["demo", 1700000000000, 1700000060000], ...]}
where a position is the next record to handle and a range is [from, to) of occurrence in ms.
Announcements only wake: whoever waits reads the truth (committed positions, the store) itself, so
that a lost one costs time and never a result.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import msgspec

from feed import metrics
from feed.clock import Clock
from feed.errors import FeedError
from feed.ports import Feed, OutgoingRecord, TopicPartition
from feed.ticket import Logged, Ticket
from feed.topics import Group, Topic

SPACING_S = 0.05
"""Committed positions are announced at most this often: a reader wakes within it, and a busy
worker writes 20 of them a second, not one a batch."""
ACKNOWLEDGED_WITHIN_S = 1.0
"""How long a commit waits for its changed ranges to be in the log. Past it the commit goes on."""
MAX_RANGES = 500
"""Ranges in one announcement: about 20 KB."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChangedRange:
    """Figures of `project` changed for occurrences in [from_ms, to_ms)."""

    project: str
    from_ms: int
    to_ms: int


@runtime_checkable
class Announcing(Protocol):
    """A handler that also tells which figures became readable anew."""

    def take_changes(self) -> Sequence[ChangedRange]:
        """What changed, readably, since the last call; the loop announces it before it commits. A
        handler may hold some back for later calls: one comes when there is nothing to handle."""


class Passed(msgspec.Struct, frozen=True, tag_field="kind", tag="passed"):
    """`group` has durably handled every record before these (topic, partition, position)."""

    group: str
    positions: tuple[tuple[str, int, int], ...]


class Changed(msgspec.Struct, frozen=True, tag_field="kind", tag="changed"):
    """Figures changed for these (project, from_ms, to_ms)."""

    ranges: tuple[tuple[str, int, int], ...]


Announcement = Passed | Changed
_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Announcement] = msgspec.json.Decoder(Passed | Changed)


def parse_announcement(value: bytes) -> Announcement:
    """Raises ValueError when the bytes are not an announcement."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError as exc:
        raise ValueError(f"not an announcement: {exc}") from exc


def merge_ranges(ranges: Iterable[ChangedRange]) -> list[ChangedRange]:
    """The same ranges by project and time, those that touch or overlap as one."""
    merged: list[ChangedRange] = []
    for found in sorted(ranges, key=lambda each: (each.project, each.from_ms)):
        last = merged[-1] if merged else None
        if last and last.project == found.project and found.from_ms <= last.to_ms:
            to_ms = max(last.to_ms, found.to_ms)
            merged[-1] = ChangedRange(last.project, last.from_ms, to_ms)
        else:
            merged.append(found)
    return merged


class Announcer:
    """Writes what one group has to announce. Used from the loop's thread."""

    def __init__(self, feed: Feed, group: Group, clock: Clock) -> None:
        self._feed, self._group, self._clock = feed, group, clock
        self._pending: dict[TopicPartition, int] = {}
        self._last_s = float("-inf")

    def announce_changed(self, ranges: Sequence[ChangedRange]) -> None:
        """Write the ranges and wait, a bounded time, until they are in the log: call it before the
        commit that makes them look handled."""
        merged = merge_ranges(ranges)
        tickets = [
            self._publish(
                Changed(
                    tuple(
                        (each.project, each.from_ms, each.to_ms)
                        for each in merged[first : first + MAX_RANGES]
                    )
                )
            )
            for first in range(0, len(merged), MAX_RANGES)
        ]
        _await(tickets)

    def announce_passed(self, positions: Mapping[TopicPartition, int]) -> None:
        """Note committed positions; `tick` writes them when the spacing allows."""
        self._pending.update(positions)
        self.tick()

    def due_in_s(self) -> float:
        """Seconds until `tick` has something to write; infinite with nothing pending."""
        if not self._pending:
            return float("inf")
        return max(0.0, self._last_s + SPACING_S - self._clock.monotonic_s())

    def tick(self) -> None:
        """Write what is pending and due; never waits."""
        if self.due_in_s() <= 0.0:
            self._write_pending()

    def flush(self) -> None:
        """Write what is pending and wait, a bounded time: before the process ends."""
        if self._pending:
            _await([self._write_pending()])

    def _write_pending(self) -> Ticket | None:
        positions = tuple(
            (topic, partition, position)
            for (topic, partition), position in sorted(self._pending.items())
        )
        self._pending.clear()
        self._last_s = self._clock.monotonic_s()
        return self._publish(Passed(self._group.value, positions))

    def _publish(self, announcement: Announcement) -> Ticket | None:
        record = OutgoingRecord(key=self._group.value.encode(), value=_encode(announcement))
        try:
            ticket = self._feed.publish(Topic.CHANGES, [record])
        except FeedError:
            self._count_dropped()
            return None
        ticket.add_done_callback(lambda: self._count_unless_logged(ticket))
        return ticket

    def _count_unless_logged(self, ticket: Ticket) -> None:
        if not isinstance(ticket.outcomes()[0], Logged):
            self._count_dropped()

    def _count_dropped(self) -> None:
        metrics.ANNOUNCEMENTS_DROPPED.labels(self._group.value).inc()
        logger.warning(
            "an announcement was not taken: live views wake later",
            extra={"action": "announcement_dropped", "group": self._group.value},
        )


def _await(tickets: Iterable[Ticket | None]) -> None:
    for ticket in tickets:
        if ticket is not None:
            ticket.wait(timeout_s=ACKNOWLEDGED_WITHIN_S)

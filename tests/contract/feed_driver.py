"""Drives members of a consumer group from one thread, with bounded waits on conditions."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from feed.ports import Feed, FeedConsumer, FeedReader, OutgoingRecord, Record, TopicPartition
from feed.ticket import Logged, Ticket

OpenFeed = Callable[[], Feed]
DeleteBefore = Callable[[Feed, TopicPartition, int], None]
PATIENCE_S = 90.0
"""No wait is longer; engines rebalance in seconds, a loaded machine is slow."""
POLL_S = 0.05


@dataclass
class Listener:
    """Notes every call: ("assigned" | "revoked" | "lost", partitions)."""

    calls: list[tuple[str, frozenset[TopicPartition]]] = field(default_factory=list)
    before_revoked: Callable[[frozenset[TopicPartition]], None] = lambda partitions: None

    def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.calls.append(("assigned", partitions))

    def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        self.before_revoked(partitions)
        self.calls.append(("revoked", partitions))

    def on_lost(self, partitions: frozenset[TopicPartition]) -> None:
        self.calls.append(("lost", partitions))

    def told(self, kind: str) -> frozenset[TopicPartition]:
        """Every partition named in calls of one kind."""
        return frozenset().union(*(partitions for name, partitions in self.calls if name == kind))


_members: "list[GroupMember]" = []


class GroupMember:
    """A consumer, its listener, and what it was given. `close_members` closes it at the latest."""

    def __init__(self, feed: Feed, group: str, *topics: str) -> None:
        self.listener = Listener()
        self.consumer: FeedConsumer = feed.consumer(group, topics, self.listener)
        self.records: list[Record] = []
        _members.append(self)

    def poll(self, max_records: int = 1000) -> Sequence[Record]:
        polled = self.consumer.poll(max_records, timeout_s=POLL_S)
        self.records += polled
        return polled

    def commit_all(self) -> None:
        """Commit behind everything received of what is ours."""
        ours = self.consumer.assignment()
        reached = positions_after(self.records)
        self.consumer.commit({place: at for place, at in reached.items() if place in ours})


def close_members() -> None:
    """Close every member made so far: an adapter may hold threads and connections for each."""
    while _members:
        _members.pop().consumer.close()


def positions_after(records: Iterable[Record]) -> dict[TopicPartition, int]:
    """The position behind the last of the records in each partition."""
    reached: dict[TopicPartition, int] = {}
    for record in records:
        place = TopicPartition(record.topic, record.partition)
        reached[place] = max(reached.get(place, 0), record.offset + 1)
    return reached


def wait_until(
    condition: Callable[[], bool], *, polling: Sequence[GroupMember] = (), within_s: float = 0
) -> None:
    """Poll the members in turn until the condition holds; fail at the limit of patience."""
    deadline = time.monotonic() + (within_s or PATIENCE_S)
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        for member in polling:
            member.poll()


def receive(member: GroupMember, count: int) -> list[Record]:
    """Poll until `count` records have come in all."""
    wait_until(lambda: len(member.records) >= count, polling=[member])
    return member.records


def read(reader: FeedReader, count: int) -> list[Record]:
    """Poll a reader until `count` records have come."""
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(records) < count and time.monotonic() < deadline:
        records += reader.poll(1000, timeout_s=POLL_S)
    return records


def make_records(count: int, *, size: int = 20) -> list[OutgoingRecord]:
    """Records of different keys, spread over the partitions; each value tells its own index."""
    return [
        OutgoingRecord(uuid4().bytes, f"{index:06d}".encode().ljust(size, b"."))
        for index in range(count)
    ]


def publish(feed: Feed, topic: str, records: Sequence[OutgoingRecord]) -> list[Logged]:
    """Publish and wait; every record must be logged."""
    return logged(feed.publish(topic, records))


def logged(ticket: Ticket) -> list[Logged]:
    """The outcomes of a ticket that must end well."""
    assert ticket.wait(timeout_s=PATIENCE_S)
    outcomes = []
    for outcome in ticket.outcomes():
        assert isinstance(outcome, Logged), outcome
        outcomes.append(outcome)
    return outcomes


def places(records: Iterable[Record]) -> list[tuple[int, int, bytes]]:
    """(partition, offset, value), sorted."""
    return sorted((record.partition, record.offset, record.value) for record in records)


def ticketed(
    records: Iterable[OutgoingRecord], outcomes: Iterable[Logged]
) -> list[tuple[int, int, bytes]]:
    """The same of what was published, as its tickets say."""
    return sorted(
        (outcome.partition, outcome.offset, record.value)
        for record, outcome in zip(records, outcomes, strict=True)
    )


def publish_twice(feed: Feed, topic: str, count: int) -> dict[TopicPartition, int]:
    """Two publishes of `count` records each; where the second begins, in each partition: retention
    deletes whole publishes at least, so tests delete up to here."""
    publish(feed, topic, make_records(count))
    seams = {TopicPartition(topic, n): bounds.end for n, bounds in feed.bounds(topic).items()}
    publish(feed, topic, make_records(count))
    return seams

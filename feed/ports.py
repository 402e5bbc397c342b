"""The Feed port: the ordered, durable log of events as Weir needs it. Kafka and a local file are
its adapters.

Words: an *offset* numbers a record in a partition from 0; a *position* is the offset of the
**next** record to read.
Guarantees common to every adapter:

- A record whose ticket says `Logged` survives `kill -9` of every process. Offsets in a partition
  ascend, with no promise
  that they are gapless. No order across partitions. The partition follows from the record's key.
- Append time is stamped by the log, never by the producer, and never goes back within a partition.
- At least once: what was polled and not committed is delivered again, to this member or another.
- Nothing connects in a constructor, and clients are made after fork.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

from feed.ticket import Ticket

Headers = tuple[tuple[str, bytes], ...]


class TopicPartition(NamedTuple):
    """One ordered shard of a topic."""

    topic: str
    partition: int


class OutgoingRecord(msgspec.Struct, frozen=True):
    """What a producer hands over: key and value are opaque bytes, headers few and small."""

    key: bytes
    value: bytes
    headers: Headers = ()


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it lies in a topic."""

    topic: str
    partition: int
    offset: int
    appended_at_ms: int
    key: bytes
    value: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class PartitionBounds:
    """`start` is the offset of the oldest record kept, `end` the one the next record will get;
    empty when equal."""

    start: int
    end: int

    def position_of(self, held: "Committed | None") -> int:
        """Where a group goes on that committed this; at the start when it never did."""
        return self.start if held is None else held.position


@dataclass(frozen=True, slots=True)
class Committed:
    """A group's committed position in a partition, and when it was committed (the feed's clock)."""

    position: int
    committed_at_ms: int


@dataclass(frozen=True, slots=True)
class Member:
    """An active member of a consumer group and what it reads now."""

    id: str
    partitions: frozenset[TopicPartition]


class RebalanceListener(Protocol):
    """Told of assignment changes, from inside `FeedConsumer.poll` and `close`, on the polling
    thread."""

    def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """These partitions are ours from now on; reading starts at their committed positions."""

    def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """These leave us when this returns: flush and commit what is in hand, or drop it
        uncommitted."""

    def on_lost(self, partitions: frozenset[TopicPartition]) -> None:
        """These are another's already: drop what is in hand; a commit would be fenced."""


class FeedConsumer(Protocol):
    """One member of a consumer group. Used from one thread."""

    def poll(self, max_records: int, *, timeout_s: float) -> Sequence[Record]:
        """Up to `max_records` records of assigned, unpaused partitions, in offset order within
        each; empty at the time limit.

        Also heartbeats and rebalances: call it at least every few seconds, also while paused.
        Raises DataLoss when a position lies before the log's start or beyond its end, or is absent
        and the log does not start at 0: stop, an operator decides. Raises FeedUnavailable: poll
        again later, positions are kept.
        """

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Durably promise that every record before each position is handled. Synchronous; all or
        nothing.

        Raises Fenced when a partition is no longer ours: drop what is in hand, poll again.
        Raises FeedUnavailable: commit again later, or let the records come again.
        """

    def seek(self, partition: TopicPartition, position: int) -> None:
        """Read on from `position`; commits nothing. Raises Fenced when the partition is not
        ours."""

    def pause(self, partitions: frozenset[TopicPartition]) -> None:
        """Stop delivering from these, keep membership. A rebalance forgets the pause."""

    def resume(self, partitions: frozenset[TopicPartition]) -> None:
        """Deliver from these again, from where reading stood."""

    def assignment(self) -> frozenset[TopicPartition]:
        """What this member reads now; empty before the first poll."""

    def close(self) -> None:
        """Leave the group at once, so that others take over without waiting for the lease. Commits
        nothing."""


class FeedReader(Protocol):
    """Reads every partition of one topic without a group: nothing is committed, nothing is
    shared."""

    def poll(self, max_records: int, *, timeout_s: float) -> Sequence[Record]:
        """Up to `max_records` new records; empty at the time limit. Records trimmed before they
        were read are skipped."""

    def close(self) -> None:
        """Free what it holds."""


class Reports(Protocol):
    """What became of published records, taken by a thread that has other work as well: an event
    loop with much to do is disturbed by another thread that settles tickets one by one."""

    def take_reports(self, *, timeout_s: float) -> bool:
        """Settle here and now what has been reported, after waiting up to `timeout_s` (whole
        milliseconds) for the first report; whether there was anything. From then on this thread is
        expected to take again within some milliseconds: others look away."""

    def leave_reports(self) -> None:
        """This thread takes none for a while: the feed's own settles them again, as they come."""


class Feed(Protocol):
    """A handle on the log, for one process. Thread-safe except for the consumers and readers it
    gives out."""

    def publish(self, topic: str, records: Sequence[OutgoingRecord]) -> Ticket:
        """Hand records over without waiting; the ticket tells, record by record, what became of
        them.

        Raises FeedFull or FeedUnavailable when nothing of it was taken: answer 503, offer it again
        later.
        Raises RecordTooLarge when a record is over the feed's limit: refuse it.
        """

    def reports(self) -> Reports | None:
        """For an event loop that publishes much; None where nothing is gained by that."""

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until every ticket given out so far is settled; False at the time limit."""

    def consumer(
        self, group: str, topics: Sequence[str], listener: RebalanceListener
    ) -> FeedConsumer:
        """A new member of `group`; joins at its first poll."""

    def reader(self, topic: str, *, from_end: bool = True) -> FeedReader:
        """A groupless reader of `topic` from its end as of now, or from its start. Raises
        FeedUnavailable."""

    def bounds(self, topic: str) -> Mapping[int, PartitionBounds]:
        """Start and end of every partition, now. Raises FeedUnavailable."""

    def committed(self, group: str, topic: str) -> Mapping[int, Committed]:
        """Committed positions by partition; a partition without one is absent. Raises
        FeedUnavailable."""

    def has_members(self, group: str) -> bool:
        """Whether the group has active members: for whoever asks again and again. Raises
        FeedUnavailable."""

    def members(self, group: str) -> Sequence[Member]:
        """Active members and what they read: for a command that asks once, and tests. Raises
        FeedUnavailable."""

    def appended_at_ms(self, partition: TopicPartition, offset: int) -> int | None:
        """Append time of the first record at or after `offset`; None at the end of the log."""

    def position_at(self, partition: TopicPartition, time_ms: int) -> int:
        """The position of the first record appended at or after `time_ms`; the end if there is
        none."""

    def set_committed(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        """Move a group's positions by hand. Raises GroupActive while it has members."""

    def ensure_topics(self) -> Sequence[str]:
        """Make what is missing; idempotent; one sentence for each thing made. Raises UnsafeTopic,
        naming the reason."""

    def trim(self) -> int:
        """Apply retention now where the adapter must do it itself; the number of records
        deleted."""

    def ping(self, *, timeout_s: float) -> None:
        """Raises FeedUnavailable when the log cannot be reached in time."""

    def close(self) -> None:
        """Settle or fail what is open and free what it holds; idempotent."""

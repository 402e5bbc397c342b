"""The consume loop's turn: poll, decode, handle, dead letters, commit, announce, in one order and
in one place. Knows no engine and no context: what is done with records is the handler's."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from feed import metrics
from feed.announcements import Announcer, Announcing
from feed.clock import Clock
from feed.codec import decode
from feed.crash_points import reach
from feed.errors import (
    Backpressure,
    Fenced,
    UndecodableRecord,
    UnknownSchema,
)
from feed.event import Event
from feed.ports import Feed, Record, TopicPartition
from feed.refusals import Refusal, RefusalWriter
from feed.topics import Group, Topic
from feed.waiting import Waiting

UNDECODABLE = "undecodable_record"

logger = logging.getLogger(__name__)


class Delivery(NamedTuple):
    """A decoded record. One is made for every record: a frozen dataclass takes three times as
    long."""

    record: Record
    event: Event


@dataclass(frozen=True, slots=True)
class Poison:
    """A delivery that its handler can never handle: `code` is stable, `detail` a sentence."""

    delivery: Delivery
    code: str
    detail: str


class Handler(Protocol):
    """Stores what the loop delivers. It may also be `feed.announcements.Announcing`."""

    def handle(self, batch: Sequence[Delivery]) -> Sequence[Poison]:
        """Store the batch durably before returning; the deliveries refused for good are returned.

        The same delivery may come again, in another batch: handling it twice changes nothing.
        Raises feed.errors.Backpressure: nothing is committed, the loop pauses and delivers the
        same records again after `retry_after_s`. Anything else raised is a bug: the supervisor
        starts the loop anew and the records come again.
        """


@dataclass(frozen=True, slots=True)
class Lane:
    """A topic, who reads it and what handles it. `name` is "live" or "history".

    A turn takes up to `batch_records`. One that found less than `little_records` is followed by the
    next no sooner than `spacing_s` after it began: under a trickle of single events the cost of
    a batch is paid so often, not a thousand times, and no event waits longer for it than this.
    """

    name: str
    group: Group
    topic: Topic
    handler: Handler
    batch_records: int = 2_000
    little_records: int = 200
    spacing_s: float = 0.02


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn did: records polled (0 also while waiting), committed, and how long ago the
    oldest of them was appended, in seconds."""

    records: int = 0
    committed: int = 0
    lag_s: float = 0.0


_NOTHING = Turn()


@dataclass(frozen=True, slots=True)
class Batch:
    """A polled batch, decoded. `positions` are past everything in it that may be committed."""

    deliveries: list[Delivery]
    refusals: list[Refusal]
    positions: dict[TopicPartition, int]
    unknown: UnknownSchema | None


class LaneConsumer:
    """One lane at work: a member of its group. Used from one thread; close it.

    A turn ends with nothing in hand, so that a revocation, which comes from inside a poll, never
    finds records that are neither committed nor coming again.
    """

    def __init__(
        self, feed: Feed, lane: Lane, *, clock: Clock, sleep: Callable[[float], object]
    ) -> None:
        self.lane = lane
        self.announcer = Announcer(feed, lane.group, clock)
        self._clock = clock
        self._refusals = RefusalWriter(feed, lane.group, clock)
        self._consumer = feed.consumer(lane.group, [lane.topic], self)
        self._waiting = Waiting(self._consumer, lane.group, clock=clock, sleep=sleep)
        self._assigned: frozenset[TopicPartition] = frozenset()

    def is_waiting(self) -> bool:
        """Whether the lane waits for its store or the feed."""
        return self._waiting.is_on()

    def turn(self, *, timeout_s: float) -> Turn:
        """Handle one batch, or wait up to `timeout_s` for one, or for backpressure to end.

        Raises DataLoss, UnknownSchema, TooManyDeadLetters: stop, an operator decides.
        """
        if not self._waiting.is_over(timeout_s=timeout_s):
            return _NOTHING
        records: Sequence[Record] = ()
        try:
            records = self._consumer.poll(self.lane.batch_records, timeout_s=timeout_s)  # 1 poll
            return self._take(records) if records else self._idle()
        except Backpressure as exc:
            self._waiting.put_back(records)
            self._waiting.begin(exc)
        except Fenced:
            self._waiting.put_back(records)
            self._note_fenced()
        return Turn(records=len(records))

    def keep_membership(self) -> None:
        """Heartbeat and rebalance without taking records: while it is not this lane's turn."""
        self._waiting.keep_membership(timeout_s=0.0)

    def _take(self, records: Sequence[Record]) -> Turn:
        started_s = self._clock.monotonic_s()
        batch = decode_batch(records)  # 2 decode
        reach("consume.before_handle")
        refusals = batch.refusals + self._handle(batch.deliveries)  # 3 handle, durably
        self._refusals.write(refusals, records=len(records))  # 4 dead letters, acknowledged
        reach("consume.after_handle_before_commit")
        self._announce_changes()  # before the commit that makes them look done
        if batch.positions:
            self._consumer.commit(batch.positions)  # 5 commit
        reach("consume.after_commit")
        self.announcer.announce_passed(batch.positions)  # 6 announce
        self._refusals.note_committed(records=len(records), refused=len(refusals))
        self._note_committed(len(batch.deliveries) + len(batch.refusals), started_s)
        if batch.unknown is not None:
            raise batch.unknown
        return Turn(len(records), len(records), self._lag_s(records))

    def _handle(self, deliveries: Sequence[Delivery]) -> list[Refusal]:
        if not deliveries:
            return []
        poison = self.lane.handler.handle(deliveries)
        return [
            Refusal(each.delivery.record, each.delivery.event, each.code, each.detail)
            for each in poison
        ]

    def _announce_changes(self) -> None:
        handler = self.lane.handler
        if isinstance(handler, Announcing):
            self.announcer.announce_changed(handler.take_changes())

    def _idle(self) -> Turn:
        self._waiting.end()
        return _NOTHING

    def _lag_s(self, records: Sequence[Record]) -> float:
        oldest_ms = min(record.appended_at_ms for record in records)
        return max(0.0, (self._clock.now_ms() - oldest_ms) / 1000)

    def _note_committed(self, records: int, started_s: float) -> None:
        self._waiting.end()
        group = self.lane.group.value
        seconds = self._clock.monotonic_s() - started_s
        metrics.RECORDS_HANDLED.labels(group, self.lane.topic.value).inc(records)
        metrics.BATCH_SECONDS.labels(group).observe(seconds)
        metrics.BATCH_RECORDS.labels(group).observe(records)
        logger.debug(
            "batch committed",
            extra={"action": "batch_committed", "group": group, "records": records},
        )

    def _note_fenced(self) -> None:
        metrics.FENCED.labels(self.lane.group.value).inc()
        logger.warning(
            "another member owns the partition: the batch is dropped and comes again there",
            extra={"action": "batch_fenced", "group": self.lane.group.value},
        )

    # -- feed.ports.RebalanceListener: called from inside a poll, when nothing is in hand --

    def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Ours from their committed positions on."""
        self._note_assigned(self._assigned | partitions)
        self._waiting.pause_assigned(partitions)

    def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """What was handled is committed; what was put back is the next owner's."""
        self._note_assigned(self._assigned - partitions)

    def on_lost(self, partitions: frozenset[TopicPartition]) -> None:
        """As `on_revoked`."""
        self._note_assigned(self._assigned - partitions)

    def _note_assigned(self, assigned: frozenset[TopicPartition]) -> None:
        self._assigned = assigned
        metrics.ASSIGNED_PARTITIONS.labels(self.lane.group.value).set(len(assigned))

    def close(self) -> None:
        """Announce what is pending and leave the group at once."""
        try:
            self.announcer.flush()
        finally:
            self._consumer.close()


def decode_batch(records: Sequence[Record]) -> Batch:
    """Records as deliveries and refusals, in their order. A record of unknown schema and all that
    follow it in its partition are in neither: they stay where they are."""
    try:
        deliveries = [Delivery(record, decode(record.value)) for record in records]
    except (UndecodableRecord, UnknownSchema):
        return _decode_one_by_one(records)
    return Batch(deliveries, [], _positions_past(records), None)


def _decode_one_by_one(records: Sequence[Record]) -> Batch:
    """The rare way, which costs a second decoding of the batch."""
    deliveries: list[Delivery] = []
    refusals: list[Refusal] = []
    unknown: UnknownSchema | None = None
    stopped: set[tuple[str, int]] = set()
    taken: list[Record] = []
    for record in records:
        if (record.topic, record.partition) in stopped:
            continue
        try:
            deliveries.append(Delivery(record, decode(record.value)))
        except UndecodableRecord as exc:
            refusals.append(Refusal(record, None, UNDECODABLE, str(exc)))
        except UnknownSchema as exc:
            unknown = unknown or exc
            stopped.add((record.topic, record.partition))
            continue
        taken.append(record)
    return Batch(deliveries, refusals, _positions_past(taken), unknown)


def _positions_past(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """The position after the last of each partition."""
    past = {(record.topic, record.partition): record.offset + 1 for record in records}
    return {TopicPartition(*where): position for where, position in past.items()}

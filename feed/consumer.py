"""The consume loop's turn: poll, decode, handle, dead letters, commit, announce, in one order and
in one place. Knows no engine and no context: what is done with records is the handler's."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from feed import metrics
from feed.announcements import Announcer, Announcing
from feed.clock import Clock
from feed.codec import decode
from feed.crash_points import reach
from feed.deliveries import Batch, Handler, Poison
from feed.errors import Backpressure, Fenced, TooManyDeadLetters
from feed.pinning import Pins, keep_pins
from feed.ports import Feed, Record, TopicPartition
from feed.refusals import MIN_RECORDS, Refusal, RefusalWriter
from feed.topics import Group, Topic
from feed.waiting import Waiting

logger = logging.getLogger(__name__)


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
    handler: Handler[Any]  # Any: what `decode` gives
    batch_records: int = 2_000
    little_records: int = 200
    spacing_s: float = 0.02
    decode: Callable[[bytes], object] = decode
    """Gives an Event, or as much of it as the handler takes. Raises as `feed.codec.decode`."""
    pins: Pins | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn did: records polled (0 also while waiting), committed, and how long ago the
    oldest of them was appended, in seconds."""

    records: int = 0
    committed: int = 0
    lag_s: float = 0.0


_NOTHING = Turn()


class LaneConsumer:
    """One lane at work: a member of its group. Used from one thread; close it.

    A turn ends with nothing in hand, so that a revocation, which comes from inside a poll, never
    finds records that are neither committed nor coming again.
    """

    def __init__(
        self, feed: Feed, lane: Lane, *, clock: Clock, sleep: Callable[[float], object]
    ) -> None:
        self.lane, self._feed = lane, feed
        self.announcer = Announcer(feed, lane.group, clock)
        self._clock = clock
        self._refusals = RefusalWriter(feed, lane.group, clock)
        self._consumer = feed.consumer(lane.group, [lane.topic], self)
        self._waiting = Waiting(self._consumer, lane.group, clock=clock, sleep=sleep)
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._most_records = lane.batch_records

    def is_waiting(self) -> bool:
        """Whether the lane waits for its store or the feed."""
        return self._waiting.is_on()

    def turn(self, *, timeout_s: float, most_records: int | None = None) -> Turn:
        """Handle one batch, of `most_records` where that is fewer than the lane's, or wait up to
        `timeout_s` for one, or for backpressure to end.

        Raises DataLoss, UnknownSchema, TooManyDeadLetters: stop, an operator decides.
        """
        turn = self._batch(timeout_s, most_records or self.lane.batch_records)
        if self.lane.pins is not None and not self._waiting.is_on():
            self._keep_pins(self.lane.pins)
        return turn

    def _batch(self, timeout_s: float, most_records: int) -> Turn:
        if not self._waiting.is_over(timeout_s=timeout_s):
            return _NOTHING
        records: Sequence[Record] = ()
        try:
            allowed = min(most_records, self._most_records)
            records = self._consumer.poll(allowed, timeout_s=timeout_s)  # 1 poll
            return self._take(records) if records else self._idle()
        except Backpressure as exc:
            self._waiting.begin(exc, records)
        except Fenced:
            self._waiting.put_back(records)
            self._note_fenced()
        except TooManyDeadLetters:
            if len(records) <= MIN_RECORDS:
                raise
            # A start must get as far as the limits allow, whatever the size of a batch.
            self._waiting.put_back(records)
            self._most_records = MIN_RECORDS
        return Turn(records=len(records))

    def _keep_pins(self, pins: Pins) -> None:
        lane = self.lane
        try:
            keep_pins(
                pins,
                self._assigned,
                feed=self._feed,
                consumer=self._consumer,
                group=lane.group,
                topic=lane.topic,
            )
        except Backpressure as exc:
            self._waiting.begin(exc, ())
        except Fenced:
            self._note_fenced()

    def keep_membership(self) -> None:
        """Heartbeat and rebalance without taking records: while it is not this lane's turn."""
        self._waiting.keep_membership(timeout_s=0.0)

    def _take(self, records: Sequence[Record]) -> Turn:
        started_s = self._clock.monotonic_s()
        batch = Batch(records, self.lane.decode)
        reach("consume.before_handle")
        poison = self.lane.handler.handle(batch)  # 2 decode and handle, durably
        refusals = batch.refusals + _refusals_of(poison)
        self._refusals.write(refusals, records=len(records))  # 3 dead letters, acknowledged
        reach("consume.after_handle_before_commit")
        self._announce_changes()  # before the commit that makes them look done
        passed = batch.passed()
        positions = _positions_past(passed)
        if positions:
            self._consumer.commit(positions)  # 4 commit
        reach("consume.after_commit")
        self.announcer.announce_passed(positions)  # 5 announce
        self._refusals.note_committed(records=len(records), refused=len(refusals))
        self._note_committed(len(passed), started_s)
        if not refusals:
            self._most_records = self.lane.batch_records
        if batch.unknown is not None:
            raise batch.unknown
        return Turn(len(records), len(records), self._lag_s(records))

    def _announce_changes(self) -> None:
        handler = self.lane.handler
        if isinstance(handler, Announcing):
            self.announcer.announce_changed(handler.take_changes())

    def _idle(self) -> Turn:
        self._waiting.note_idle()
        self._announce_changes()  # those that a handler held back
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
        if self.lane.pins is not None:
            self.lane.pins.on_assigned()
        self._note_assigned(self._assigned | partitions)
        self._waiting.pause_assigned(partitions)

    def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """What was handled is committed; what was put back is the next owner's."""
        self._waiting.forget(partitions)
        self._note_assigned(self._assigned - partitions)

    def on_lost(self, partitions: frozenset[TopicPartition]) -> None:
        """As `on_revoked`."""
        self.on_revoked(partitions)

    def _note_assigned(self, assigned: frozenset[TopicPartition]) -> None:
        self._assigned = assigned
        metrics.ASSIGNED_PARTITIONS.labels(self.lane.group.value).set(len(assigned))

    def close(self) -> None:
        """Announce what is pending and leave the group at once."""
        try:
            self._announce_changes()
            self.announcer.flush()
        finally:
            self._consumer.close()


def _refusals_of(poison: Sequence[Poison]) -> list[Refusal]:
    return [
        Refusal(each.delivery.record, each.delivery.event, each.code, each.detail)
        for each in poison
    ]


def _positions_past(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """The position after the last of each partition."""
    past = {(record.topic, record.partition): record.offset + 1 for record in records}
    return {TopicPartition(*where): position for where, position in past.items()}

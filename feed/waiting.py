"""Backpressure met: a member that takes no records for a while, yet stays a member."""

import logging
from collections.abc import Callable, Mapping, Sequence

from feed import metrics
from feed.backoff import Backoff
from feed.clock import Clock
from feed.errors import Backpressure, FeedUnavailable
from feed.ports import FeedConsumer, Record, TopicPartition
from feed.topics import Group

FIRST_WAIT_S = 0.2
MAX_WAIT_S = 30.0
"""Waits double from the first up to this: an engine that is back is noticed within half a
minute."""

logger = logging.getLogger(__name__)


class Waiting:
    """Pauses, polls on and resumes one consumer. Used from its thread."""

    def __init__(
        self,
        consumer: FeedConsumer,
        group: Group,
        *,
        clock: Clock,
        sleep: Callable[[float], object],
    ) -> None:
        self._consumer, self._group, self._clock, self._sleep = consumer, group, clock, sleep
        self._backoff = Backoff(first_s=FIRST_WAIT_S, cap_s=MAX_WAIT_S)
        self._until_s: float | None = None
        self._is_paused = False
        self._owed: frozenset[TopicPartition] = frozenset()

    def is_on(self) -> bool:
        """Whether the store or the feed said "not now" and nothing has gone well since."""
        return self._until_s is not None

    def begin(self, reason: Backpressure, records: Sequence[Record]) -> None:
        """Put the records back and wait as long as `reason` asks for, longer each time; say so the
        first time."""
        self.put_back(records)
        self._owed |= _first_offsets(records).keys()
        if self._until_s is None:
            metrics.WAITING.labels(self._group.value).set(1)
            what = "feed" if isinstance(reason, FeedUnavailable) else "store"
            logger.warning(
                "%s: the %s is not reachable: waiting (%s)",
                *(self._group.value, what, reason),
                extra={"action": "waiting", "group": self._group.value},
            )
        metrics.BACKPRESSURE.labels(self._group.value).inc()
        delay_s = self._backoff.next_s(at_least_s=min(reason.retry_after_s, MAX_WAIT_S))
        self._until_s = self._clock.monotonic_s() + delay_s

    def note_idle(self) -> None:
        """A poll found nothing. What was put back may come with a later one: only then it shows
        whether the store is there again."""
        if not self._owed:
            self.end()

    def end(self) -> None:
        """Something went well: say so if it was waited for."""
        if self._until_s is None:
            return
        self._until_s, self._owed = None, frozenset()
        self._backoff.reset()
        metrics.WAITING.labels(self._group.value).set(0)
        logger.info(
            "%s: reachable again: going on",
            self._group.value,
            extra={"action": "going_on", "group": self._group.value},
        )

    def is_over(self, *, timeout_s: float) -> bool:
        """True when a batch may be taken now; False after waiting up to `timeout_s` for that."""
        if self._until_s is not None:
            left_s = self._until_s - self._clock.monotonic_s()
            if left_s > 0:
                self.keep_membership(timeout_s=min(left_s, timeout_s))
                return False
        if self._is_paused:
            self._is_paused = False
            self._consumer.resume(self._consumer.assignment())
        return True

    def keep_membership(self, *, timeout_s: float) -> None:
        """Poll as a paused member: heartbeats and rebalances go on, no record is taken."""
        if not self._is_paused:
            self._is_paused = True
            self._consumer.pause(self._consumer.assignment())
        try:
            records = self._consumer.poll(1, timeout_s=timeout_s)
        except Backpressure:
            self._sleep(timeout_s)  # the feed itself is away, and said so at once
        else:
            self.put_back(records)

    def put_back(self, records: Sequence[Record]) -> None:
        """Read these again: they are in nobody's hand and nothing of them is committed."""
        ours = self._consumer.assignment()
        for partition, offset in _first_offsets(records).items():
            if partition in ours:
                self._consumer.seek(partition, offset)

    def forget(self, partitions: frozenset[TopicPartition]) -> None:
        """They are another member's now, with all that was put back."""
        self._owed -= partitions

    def pause_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """A rebalance forgets the pause: pause anew what came during it."""
        if self._is_paused:
            self._consumer.pause(partitions)


def _first_offsets(records: Sequence[Record]) -> Mapping[TopicPartition, int]:
    return {
        TopicPartition(record.topic, record.partition): record.offset
        for record in reversed(records)
    }

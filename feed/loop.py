"""The consume loop over its lanes: who is next, how long to wait, when a drain is done."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from feed.clock import Clock
from feed.consumer import Lane, LaneConsumer, Turn
from feed.lanes import LaneSchedule
from feed.ports import Feed, PartitionBounds, TopicPartition

IDLE_POLL_S = 0.5
"""How long a poll waits with nothing to do: a stop signal, and the first record of an empty
history, are seen within it."""
DRAIN_POLL_S = 0.05
DRAIN_CHECK_S = 0.1
DRAIN_CHECK_BUSY_S = 5.0

Targets = Sequence[tuple[Lane, Mapping[int, PartitionBounds]]]
"""What lay in each lane's topic when a drain began."""


class ConsumeLoop:
    """Runs one or two lanes, the first live, the second history, in the calling thread."""

    def __init__(
        self,
        feed: Feed,
        lanes: Sequence[Lane],
        *,
        stop: threading.Event,
        once: bool = False,
        on_commit: Callable[[], object] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        self._feed, self._stop, self._once, self._on_commit = feed, stop, once, on_commit
        self._clock = clock or Clock()
        self._lanes = lanes
        self._schedule = LaneSchedule(lanes[-1].batch_records)
        self._checked_s = float("-inf")
        self._idle_poll_s = DRAIN_POLL_S if once else IDLE_POLL_S

    def run(self) -> None:
        """Until `stop` is set; with `once`, until the group has passed what lay in the topics at
        the start. The batch in hand is finished and committed, announcements are flushed.

        Raises what `LaneConsumer.turn` raises, and whatever a handler's bug raises.
        """
        targets = [(lane, self._feed.bounds(lane.topic)) for lane in self._lanes if self._once]
        with ExitStack() as stack:
            consumers = [self._open(lane, stack) for lane in self._lanes]
            live, history = consumers[0], consumers[1] if len(consumers) > 1 else None
            while not self._stop.is_set() and not self._is_drained(targets):
                self._round(live, history)
                for consumer in consumers:
                    consumer.announcer.tick()

    def _open(self, lane: Lane, stack: ExitStack) -> LaneConsumer:
        consumer = LaneConsumer(self._feed, lane, clock=self._clock, sleep=self._stop.wait)
        stack.callback(consumer.close)
        return consumer

    def _round(self, live: LaneConsumer, history: LaneConsumer | None) -> None:
        now_s = self._clock.monotonic_s()
        if history is not None and self._schedule.is_history_next(now_s=now_s):
            self._history_turn(history, is_live_waiting=live.is_waiting(), started_s=now_s)
        else:
            self._live_turn(live, started_s=now_s)

    def _live_turn(self, live: LaneConsumer, *, started_s: float) -> None:
        idle_s = 0.0 if self._schedule.history_has_more else self._idle_poll_s
        turn = live.turn(timeout_s=min(idle_s, live.announcer.due_in_s()))
        self._schedule.note_live(records=turn.records, lag_s=turn.lag_s)
        self._note_commit(turn.committed)
        if 0 < turn.records < live.lane.little_records and idle_s:
            waits_s = started_s + live.lane.spacing_s - self._clock.monotonic_s()
            self._stop.wait(max(0.0, waits_s))

    def _history_turn(
        self, history: LaneConsumer, *, is_live_waiting: bool, started_s: float
    ) -> None:
        """While live waits for its store, history does not press the same store either."""
        turn = Turn()
        if is_live_waiting:
            history.keep_membership()
        else:
            turn = history.turn(timeout_s=0.0, most_records=self._schedule.history_records())
            self._note_commit(turn.committed)
        self._schedule.note_history(
            records=turn.records,
            committed=turn.committed,
            started_s=started_s,
            now_s=self._clock.monotonic_s(),
        )

    def _note_commit(self, records: int) -> None:
        if records:
            self._on_commit()

    def _is_drained(self, targets: Targets) -> bool:
        """Looked at when a turn found nothing, and every few seconds where others go on
        publishing: a look costs the feed several requests a partition."""
        now_s = self._clock.monotonic_s()
        has_more = self._schedule.live_has_more or self._schedule.history_has_more
        wait_s = DRAIN_CHECK_BUSY_S if has_more else DRAIN_CHECK_S
        if not targets or now_s - self._checked_s < wait_s:
            return False
        self._checked_s = now_s
        return all(self._has_passed(lane, bounds) for lane, bounds in targets)

    def _has_passed(self, lane: Lane, bounds: Mapping[int, PartitionBounds]) -> bool:
        """Whether the group, whichever of its members, has committed past the ends and pinned what
        it has to. A position short of an end with no record from there on has passed it too:
        offsets may have gaps."""
        places = frozenset(TopicPartition(lane.topic, partition) for partition in bounds)
        if lane.pins is not None and lane.pins.missing(places) is not None:
            return False
        committed = self._feed.committed(lane.group, lane.topic)
        for partition, bound in bounds.items():
            position = bound.position_of(committed.get(partition))
            if position < bound.end and self._has_record(lane, partition, position):
                return False
        return True

    def _has_record(self, lane: Lane, partition: int, position: int) -> bool:
        where = TopicPartition(lane.topic, partition)
        return self._feed.appended_at_ms(where, position) is not None

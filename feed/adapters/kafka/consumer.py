"""One member of a consumer group, by the classic protocol with cooperative-sticky assignment."""

import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer as DriverConsumer
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as DriverMessage
from confluent_kafka import TopicPartition as DriverPartition

from feed.adapters.kafka.client import Config, Contact, missing, reading_config, unavailable
from feed.adapters.kafka.looking import Looking
from feed.adapters.kafka.names import Names
from feed.adapters.kafka.options import Options
from feed.adapters.kafka.records import take, to_records
from feed.clock import Clock
from feed.errors import DataLoss, FeedError, FeedUnavailable, Fenced
from feed.ports import RebalanceListener, Record, TopicPartition

COMMIT_S = 5.0
RETRY_S = 0.05
OnPlaces = Callable[[DriverConsumer, list[DriverPartition]], None]
_OUT_OF_LOG = (KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION)
_FENCED = (
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._NO_OFFSET,
    KafkaError._STATE,
)
_PASSING = (
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._WAIT_COORD,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
)
_MISSING = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)
_HARMLESS = (KafkaError._MAX_POLL_EXCEEDED, KafkaError._PARTITION_EOF)
"""The first is followed by `on_lost` at the next poll."""


def consumer_config(options: Options, contact: Contact, *, group: str) -> Config:
    """A position that is missing or outside the log is an error, never a jump."""
    return reading_config(options, contact, group=group) | {
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": int(options.lease_s * 1000),
        "heartbeat.interval.ms": int(min(3.0, options.lease_s / 12) * 1000),
        "max.poll.interval.ms": int(options.max_poll_s * 1000),
    }


class KafkaConsumer:
    """Implements `feed.ports.FeedConsumer`."""

    def __init__(
        self,
        options: Options,
        names: Names,
        looking: Callable[[], Looking],
        *,
        group: str,
        topics: Sequence[str],
        listener: RebalanceListener,
        clock: Clock,
    ) -> None:
        self._options, self._names, self._looking = options, names, looking
        self._group, self._topics = group, tuple(topics)
        self._listener, self._clock = listener, clock
        self._contact = Contact(options)
        self._driver: DriverConsumer | None = None
        self._assigned: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._astray: dict[TopicPartition, int | None] = {}
        """Where reading stopped, since the position is missing (None) or outside the log."""
        self._sought: dict[TopicPartition, int] = {}
        """Positions sought from which nothing has been delivered yet: a pause forgets them in the
        driver, which resumes behind the last record it gave."""
        self._was_rebalanced = False
        self._raised: Exception | None = None
        self._is_closed = False

    # -- the port --

    def poll(self, max_records: int, *, timeout_s: float) -> Sequence[Record]:
        driver = self._open()
        deadline_s = time.monotonic() + timeout_s
        self._raise_what_a_listener_raised()
        self._lead_back(driver)
        while True:
            records = self._take(driver, max_records, deadline_s - time.monotonic())
            if records:
                return records
            self._raise_what_a_listener_raised()
            self._lead_back(driver)
            if time.monotonic() >= deadline_s:
                self._check_contact()
                return []

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        if not self._assigned.issuperset(positions):
            raise Fenced
        if not positions or self._driver is None:
            return
        stamp = str(self._clock.now_ms())
        places = [self._driver_place(where, at, stamp) for where, at in positions.items()]
        deadline_s = time.monotonic() + COMMIT_S
        while not self._committed(self._driver, places):
            if time.monotonic() > deadline_s:
                raise FeedUnavailable(
                    f"group {self._group} cannot commit: its coordinator is not ready"
                )
            time.sleep(RETRY_S)

    def seek(self, partition: TopicPartition, position: int) -> None:
        if partition not in self._assigned or self._driver is None:
            raise Fenced(f"{partition.topic}[{partition.partition}] is not this member's to seek")
        self._sought[partition] = position
        if partition not in self._paused:
            self._move(self._driver, partition, position)

    def pause(self, partitions: frozenset[TopicPartition]) -> None:
        ours = partitions & self._assigned
        self._paused |= ours
        if ours and self._driver is not None:
            self._driver.pause([self._driver_place(where) for where in ours])

    def resume(self, partitions: frozenset[TopicPartition]) -> None:
        ours = partitions & self._assigned
        self._paused -= ours
        if ours and self._driver is not None:
            self._driver.resume([self._driver_place(where) for where in ours])
            for where in ours & self._sought.keys():
                self._move(self._driver, where, self._sought[where])

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._assigned)

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    # -- reading --

    def _open(self) -> DriverConsumer:
        if self._is_closed:
            raise FeedUnavailable(f"this member of group {self._group} is closed")
        if self._driver is None:
            self._driver = driver = DriverConsumer(
                consumer_config(self._options, self._contact, group=self._names.outer(self._group))
            )
            driver.subscribe(
                [self._names.outer(topic) for topic in self._topics],
                on_assign=_weakly(self._on_assign),
                on_revoke=_weakly(self._on_revoke),
                on_lost=_weakly(self._on_lost),
            )
            weakref.finalize(self, _close_here, os.getpid(), driver)
        return self._driver

    def _take(self, driver: DriverConsumer, max_records: int, timeout_s: float) -> list[Record]:
        """What the driver has, without what is another's by now or lies before a seek."""
        self._was_rebalanced = False
        messages = take(driver, max_records, timeout_s)
        if not messages:
            return []
        good = [message for message in messages if message.error() is None]
        records = to_records(good, self._names)
        if self._was_rebalanced:
            records = [record for record in records if _place(record) in self._assigned]
        if self._sought:
            records = self._from_where_sought(records)
        if good:
            self._contact.note_answer()
        if len(good) < len(messages):
            self._note_errors(message for message in messages if message.error() is not None)
        return records

    def _from_where_sought(self, records: list[Record]) -> list[Record]:
        """Without what was fetched before a seek forward."""
        sought = self._sought
        kept = [record for record in records if record.offset >= sought.get(_place(record), 0)]
        for where in {_place(record) for record in kept}:
            sought.pop(where, None)
        return kept

    def _note_errors(self, messages: Any) -> None:
        """Errors come between records: those in hand are delivered first, the error is raised by
        the next poll."""
        for message in messages:
            try:
                self._note_error(message)
            except FeedError as exc:
                self._raised = self._raised or exc

    def _note_error(self, message: DriverMessage) -> None:
        error = message.error()
        if error is None:
            return
        code = error.code()
        if code in _OUT_OF_LOG:
            where = self._names.place(str(message.topic()), message.partition() or 0)
            if where in self._assigned:
                offset = message.offset()
                self._astray[where] = offset if offset is not None and offset >= 0 else None
        elif code in _MISSING:
            topic = self._names.inner(str(message.topic()))
            raise FeedUnavailable(missing(self._options, topic))
        elif code not in _HARMLESS and not error.retriable():
            raise unavailable(
                f"group {self._group} cannot read", error, self._options, self._contact
            )

    def _raise_what_a_listener_raised(self) -> None:
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised

    def _check_contact(self) -> None:
        """An idle poll while no broker answers is not an empty log."""
        if self._contact.is_down():
            self._contact.probe(self._driver)

    # -- positions outside the log --

    def _lead_back(self, driver: DriverConsumer) -> None:
        """A group that never committed starts at 0 if the log does. Anything else is data loss,
        said at every poll until somebody moves the position."""
        for where, position in list(self._astray.items()):
            bounds = self._looking().bounds(where.topic).get(where.partition)
            if bounds is None:
                continue
            is_inside = position is not None and bounds.start <= position <= bounds.end
            if where in self._sought:  # before the driver knew where to begin
                self._read_from(driver, where, self._sought[where])
            elif position is None and bounds.start == 0:
                self._read_from(driver, where, 0)
            elif is_inside and position is not None:
                self._read_from(driver, where, position)  # it was moved, or a leader was behind
            else:
                raise DataLoss(
                    group=self._group,
                    topic=where.topic,
                    partition=where.partition,
                    position=position,
                    start=bounds.start,
                    end=bounds.end,
                )

    def _read_from(self, driver: DriverConsumer, where: TopicPartition, position: int) -> None:
        """A partition that could not be started: assigned anew, since the driver seeks in none of
        these."""
        self._astray.pop(where, None)
        self._sought[where] = position
        place = self._driver_place(where, position)
        driver.incremental_unassign([place])
        driver.incremental_assign([place])

    def _move(self, driver: DriverConsumer, where: TopicPartition, position: int) -> None:
        if where not in self._astray:
            try:
                driver.seek(self._driver_place(where, position))
            except KafkaException as exc:
                if exc.args[0].code() != KafkaError._STATE:
                    raise unavailable("cannot seek", exc, self._options, self._contact) from exc
            else:
                return
        self._read_from(driver, where, position)

    # -- committing --

    def _committed(self, driver: DriverConsumer, places: list[DriverPartition]) -> bool:
        """False when it is worth another try in a moment. All of a commit is one request, which
        the coordinator takes or refuses by the member's generation."""
        try:
            answers = driver.commit(offsets=places, asynchronous=False)
        except KafkaException as exc:
            return self._judge(exc.args[0], exc)
        for answer in answers or ():
            if answer.error is not None:
                return self._judge(answer.error, KafkaException(answer.error))
        return True

    def _judge(self, error: KafkaError, cause: KafkaException) -> bool:
        if error.code() in _FENCED:
            raise Fenced from cause
        if error.code() in _PASSING:
            return False
        raise unavailable(
            f"group {self._group} cannot commit", error, self._options, self._contact
        ) from cause

    def _driver_place(
        self, where: TopicPartition, position: int = -1001, metadata: str | None = None
    ) -> DriverPartition:
        outer = self._names.outer(where.topic)
        if metadata is None:
            return DriverPartition(outer, where.partition, position)
        return DriverPartition(outer, where.partition, position, metadata)

    # -- rebalances: from inside the driver's consume and close, which must not see an exception --

    def _on_assign(self, driver: DriverConsumer, places: list[DriverPartition]) -> None:
        """An empty one comes with every rebalance that changes nothing."""
        if not places:
            return
        driver.incremental_assign(places)
        driver.resume(places)  # a pause does not outlive a rebalance
        partitions = self._noted(places)
        self._assigned |= partitions
        self._tell(self._listener.on_assigned, partitions)

    def _on_revoke(self, driver: DriverConsumer, places: list[DriverPartition]) -> None:
        """Told first, so that a commit inside still counts."""
        if not places:
            return
        partitions = self._noted(places)
        self._tell(self._listener.on_revoked, partitions)
        self._assigned -= partitions
        driver.incremental_unassign(places)

    def _on_lost(self, driver: DriverConsumer, places: list[DriverPartition]) -> None:
        """Nothing of these may be delivered any more."""
        if not places:
            return
        partitions = self._noted(places)
        self._assigned -= partitions
        driver.incremental_unassign(places)
        self._tell(self._listener.on_lost, partitions)

    def _noted(self, places: list[DriverPartition]) -> frozenset[TopicPartition]:
        self._was_rebalanced = True
        partitions = frozenset(self._names.place(p.topic, p.partition) for p in places)
        self._paused -= partitions
        for where in partitions:
            self._astray.pop(where, None)
            self._sought.pop(where, None)
        return partitions

    def _tell(
        self,
        tell: Callable[[frozenset[TopicPartition]], None],
        partitions: frozenset[TopicPartition],
    ) -> None:
        try:
            tell(partitions)
        except Exception as exc:
            self._raised = self._raised or exc


def _place(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def _weakly(method: OnPlaces) -> OnPlaces:
    """The driver must not keep the member alive, or nobody could tell that it was dropped."""
    held = weakref.WeakMethod(method)

    def call(driver: DriverConsumer, places: list[DriverPartition]) -> None:
        alive = held()
        if alive is not None:
            alive(driver, places)

    return call


def _close_here(pid: int, driver: DriverConsumer) -> None:
    """A driver that nobody closed waits for ever when it is freed, also at the process's end. In a
    forked child it is not ours to close."""
    if os.getpid() == pid:
        driver.close()

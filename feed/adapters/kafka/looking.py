"""Questions to the brokers that are not about reading on: bounds, positions, members, times."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import Consumer as DriverConsumer
from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
)
from confluent_kafka import TopicPartition as DriverPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from feed.adapters.kafka.client import (
    Contact,
    base_config,
    missing,
    reading_config,
    unavailable,
)
from feed.adapters.kafka.names import Names
from feed.adapters.kafka.options import Options
from feed.adapters.kafka.positions import PASSING, RETRY_S, Positions
from feed.adapters.kafka.records import to_records
from feed.clock import Clock
from feed.errors import FeedError, FeedUnavailable, GroupActive
from feed.ports import Committed, Member, PartitionBounds, TopicPartition

LOOK_S = 5.0
COUNT_TTL_S = 5.0
"""How long the number of a topic's partitions is taken as known: they only ever grow."""
T = TypeVar("T")
_STAFFED = (
    ConsumerGroupState.STABLE,
    ConsumerGroupState.PREPARING_REBALANCING,
    ConsumerGroupState.COMPLETING_REBALANCING,
)
_ACTIVE = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP)


class _Passing(Exception):
    """Ask again in a moment."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.str())
        self.error = error


class Looking:
    """The administrative handle of one process, and a consumer without a group to fetch single
    records. Thread-safe."""

    def __init__(self, options: Options, names: Names, clock: Clock) -> None:
        self._options, self._names, self._clock = options, names, clock
        self.contact = Contact(options)
        self.admin = AdminClient(base_config(options, self.contact))
        self._positions = Positions(options, self.contact)
        self._fetcher: DriverConsumer | None = None
        self._fetching = threading.Lock()
        self._counts: dict[str, tuple[float, int]] = {}

    # -- the port's questions --

    def ping(self, topic: str, *, timeout_s: float) -> None:
        """Raises FeedUnavailable when no broker tells about the topic in time."""
        self.partition_count(topic, timeout_s=timeout_s)

    def bounds(self, topic: str) -> dict[int, PartitionBounds]:
        """Start and end of every partition."""
        places = self._places(topic)
        starts = self._offsets(topic, dict.fromkeys(places, OffsetSpec.earliest()))
        ends = self._offsets(topic, dict.fromkeys(places, OffsetSpec.latest()))
        return {
            place.partition: PartitionBounds(starts[place.partition], ends[place.partition])
            for place in places
        }

    def committed(self, group: str, topic: str) -> Mapping[int, Committed]:
        """The time of a commit is what our consumers wrote beside the position."""
        places = self._places(topic)
        try:
            held = self._positions.committed(self._names.outer(group), places, timeout_s=LOOK_S)
        except KafkaException as exc:
            raise self._unavailable(f"cannot read the positions of group {group}", exc) from exc
        return {
            place.partition: Committed(place.offset, _time_ms(place.metadata))
            for place in held
            if place.offset >= 0
        }

    def has_members(self, group: str) -> bool:
        """By a list of the groups that every broker coordinates, never by a question to the
        coordinator: the driver ends the process when a coordinator goes away in the middle of one
        (librdkafka 2.16.0, its pull request 5397). A broker that does not answer may be the one
        that knows."""
        outer, doing = self._names.outer(group), f"cannot ask whether group {group} has members"
        (found,) = self._settled(
            doing,
            lambda: {
                group: self.admin.list_consumer_groups(states=set(_STAFFED), request_timeout=LOOK_S)
            },
        )
        if any(listed.group_id == outer for listed in found.valid):
            return True
        if found.errors:
            raise self._unavailable(doing, found.errors[0])
        return False

    def members(self, group: str) -> Sequence[Member]:
        """Members that the coordinator counts; empty for a group it does not know. Not for a
        process that lasts: see `has_members`."""
        (described,) = self._settled(
            f"cannot read the members of group {group}",
            lambda: self.admin.describe_consumer_groups(
                [self._names.outer(group)], request_timeout=LOOK_S
            ),
        )
        return [
            Member(
                member.member_id,
                frozenset(
                    self._names.place(place.topic, place.partition)
                    for place in member.assignment.topic_partitions
                ),
            )
            for member in described.members
        ]

    def set_committed(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        """Raises GroupActive, also for members that come in between: the broker refuses."""
        active = GroupActive(
            f"group {group} has active members: stop them before its positions are set by hand"
        )
        if self.members(group):
            raise active
        if not positions:
            return
        for topic in {place.topic for place in positions}:
            self.committed(group, topic)  # answers once the coordinator is ready
        stamp = str(self._clock.now_ms())
        places = [
            DriverPartition(self._names.outer(where.topic), where.partition, position, stamp)
            for where, position in positions.items()
        ]
        try:
            self._settled(
                f"cannot set the positions of group {group}",
                lambda: self.admin.alter_consumer_group_offsets(
                    [ConsumerGroupTopicPartitions(self._names.outer(group), places)],
                    request_timeout=LOOK_S,
                ),
            )
        except FeedUnavailable as exc:
            cause = exc.__cause__
            if isinstance(cause, KafkaException) and cause.args[0].code() in _ACTIVE:
                raise active from exc
            raise

    def position_at(self, where: TopicPartition, time_ms: int) -> int:
        """By the broker's index of append times; the end where nothing is as late."""
        place = DriverPartition(self._names.outer(where.topic), where.partition)
        spec = OffsetSpec.for_timestamp(max(0, time_ms))
        found = self._offsets(where.topic, {place: spec})[where.partition]
        if found >= 0:
            return found
        return self._offsets(where.topic, {place: OffsetSpec.latest()})[where.partition]

    def appended_at_ms(self, where: TopicPartition, offset: int) -> int | None:
        """Fetches the record, since only the record tells. Of a place before the start the driver
        gives the first record, and of one past the end, too: that one lies before it."""
        place = DriverPartition(self._names.outer(where.topic), where.partition, offset)
        deadline_s = time.monotonic() + LOOK_S
        with self._fetching:
            consumer = self._open_fetcher()
            consumer.assign([place])
            try:
                while time.monotonic() < deadline_s:
                    for message in consumer.consume(1, 0.2):
                        error = message.error()
                        if error is None:
                            (record,) = to_records([message], self._names)
                            return record.appended_at_ms if record.offset >= offset else None
                        if error.code() == KafkaError._PARTITION_EOF:
                            return None
            finally:
                consumer.unassign()
        raise FeedUnavailable(
            f"cannot read {where.topic}[{where.partition}] at {offset}: {self.contact.reason()}"
        )

    def partition_count(self, topic: str, *, timeout_s: float = LOOK_S) -> int:
        """How many partitions the topic has. Raises FeedUnavailable, also when it does not
        exist."""
        outer = self._names.outer(topic)
        try:
            found = self.admin.list_topics(outer, timeout=timeout_s).topics[outer]
        except KafkaException as exc:
            self.admin.poll(0)
            raise self._unavailable(f"cannot ask about topic {topic}", exc) from exc
        self.contact.note_answer()
        if found.error is not None:
            if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise FeedUnavailable(missing(self._options, topic))
            raise self._unavailable(f"cannot ask about topic {topic}", found.error)
        self._counts[topic] = (time.monotonic() + COUNT_TTL_S, len(found.partitions))
        return len(found.partitions)

    def close(self) -> None:
        """Free the consumers; the administrative handle goes with the object."""
        with self._fetching:
            fetcher, self._fetcher = self._fetcher, None
        if fetcher is not None:
            fetcher.close()
        self._positions.close()

    # -- below --

    def _places(self, topic: str) -> list[DriverPartition]:
        until_s, count = self._counts.get(topic, (0.0, 0))
        if time.monotonic() >= until_s:
            count = self.partition_count(topic)
        outer = self._names.outer(topic)
        return [DriverPartition(outer, number) for number in range(count)]

    def _offsets(self, topic: str, specs: Mapping[DriverPartition, Any]) -> dict[int, int]:
        found = self._settled_by_place(
            f"cannot read the bounds of topic {topic}",
            lambda: self.admin.list_offsets(dict(specs), request_timeout=LOOK_S),
        )
        return {place.partition: answer.offset for place, answer in found.items()}

    def _open_fetcher(self) -> DriverConsumer:
        if self._fetcher is None:
            config = reading_config(self._options, self.contact, group="weir-looking")
            config |= {
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
                "fetch.queue.backoff.ms": 0,  # or a second look waits for it
                "queued.min.messages": 1,
                "fetch.message.max.bytes": 16 * 1024,
            }
            self._fetcher = DriverConsumer(config)
        return self._fetcher

    def _settled(self, doing: str, ask: Any) -> list[Any]:
        return list(self._settled_by_place(doing, ask).values())

    def _settled_by_place(self, doing: str, ask: Any) -> dict[Any, Any]:
        """The answers to one question, asked again while coordinators move. `ask` gives futures
        by name; their classes are the driver's, untyped."""
        deadline_s = time.monotonic() + LOOK_S
        while True:
            try:
                return {name: _result(future) for name, future in ask().items()}
            except _Passing as exc:
                if time.monotonic() > deadline_s:
                    raise self._unavailable(doing, exc.error) from exc
                time.sleep(RETRY_S)
            except KafkaException as exc:
                self.admin.poll(0)
                raise self._unavailable(doing, exc) from exc

    def _unavailable(self, doing: str, exc: KafkaException | KafkaError) -> FeedError:
        return unavailable(doing, exc, self._options, self.contact)


def _result(future: "Future[T]") -> T:
    try:
        answer = future.result(2 * LOOK_S)
    except KafkaException as exc:
        _raise_passing(exc.args[0])
        raise
    except TimeoutError as exc:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from exc
    for error in _errors(getattr(answer, "topic_partitions", ())):
        _raise_passing(error)
        raise KafkaException(error)
    return answer


def _errors(places: Iterable[DriverPartition]) -> list[KafkaError]:
    return [place.error for place in places if place.error is not None]


def _raise_passing(error: KafkaError) -> None:
    if error.code() in PASSING:
        raise _Passing(error)


def _time_ms(metadata: str | None) -> int:
    """0 where something else than Weir committed."""
    text = metadata or ""
    return int(text) if text.isascii() and text.isdecimal() else 0

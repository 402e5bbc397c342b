"""The handle that one process has on Kafka."""

import ctypes
import os
import threading
import weakref
from collections.abc import Mapping, Sequence

from feed.adapters.kafka.consumer import KafkaConsumer
from feed.adapters.kafka.looking import Looking
from feed.adapters.kafka.names import Names
from feed.adapters.kafka.options import Options
from feed.adapters.kafka.producer import CLOSED, Producer
from feed.adapters.kafka.reader import KafkaReader
from feed.adapters.kafka.topics import TopicMaker
from feed.clock import Clock
from feed.errors import FeedUnavailable, RecordTooLarge
from feed.ports import (
    Committed,
    FeedConsumer,
    FeedReader,
    Member,
    OutgoingRecord,
    PartitionBounds,
    RebalanceListener,
    TopicPartition,
)
from feed.ticket import Ticket
from feed.topics import Topic

CLOSE_S = 8.0
"""Within the 10 s that a process has to end."""


class KafkaFeed:
    """Implements `feed.ports.Feed` and its `Reports`. Connects at first use."""

    def __init__(self, options: Options, *, clock: Clock | None = None) -> None:
        self._options, self._clock = options, clock or Clock()
        self._names = Names(options.prefix)
        self._is_closed = False
        self._start_anew()
        _HANDLES.add(self)

    def _start_anew(self) -> None:
        self._lock = threading.RLock()
        self._producer: Producer | None = None
        self._looking: Looking | None = None

    def after_fork(self) -> None:
        """In the child the parent's connections are left alone, and never freed: the driver would
        wait for threads that are not there."""
        for inherited in (self._producer, self._looking):
            if inherited is not None:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
        self._start_anew()

    # -- producing --

    def publish(self, topic: str, records: Sequence[OutgoingRecord]) -> Ticket:
        size, limit = 0, self._options.max_record_bytes
        for record in records:
            length = len(record.key) + len(record.value)
            if length > limit:
                raise RecordTooLarge(
                    f"a record for topic {topic} has {length} bytes; the feed takes {limit}"
                )
            size += length
        if not records:
            return Ticket(0)
        producer = self._producer
        if producer is None or producer.is_broken:
            producer = self._make_producer()
        return producer.publish(topic, records, size)

    def _make_producer(self) -> Producer:
        with self._lock:
            self._check_open()
            if self._producer is None or self._producer.is_broken:
                self._producer = Producer(self._options, self._names)
            return self._producer

    def reports(self) -> "KafkaFeed":
        return self

    def take_reports(self, *, timeout_s: float) -> bool:
        producer = self._producer
        return producer is not None and producer.take_reports(timeout_s=timeout_s)

    def leave_reports(self) -> None:
        if self._producer is not None:
            self._producer.leave_reports()

    def flush(self, *, timeout_s: float) -> bool:
        return self._producer is None or self._producer.flush(timeout_s=timeout_s)

    # -- consuming --

    def consumer(
        self, group: str, topics: Sequence[str], listener: RebalanceListener
    ) -> FeedConsumer:
        self._check_open()
        return KafkaConsumer(
            self._options,
            self._names,
            self._look,
            group=group,
            topics=topics,
            listener=listener,
            clock=self._clock,
        )

    def reader(self, topic: str, *, from_end: bool = True) -> FeedReader:
        return KafkaReader(self._options, self._names, self._look(), topic, from_end=from_end)

    # -- looking --

    def bounds(self, topic: str) -> Mapping[int, PartitionBounds]:
        return self._look().bounds(topic)

    def committed(self, group: str, topic: str) -> Mapping[int, Committed]:
        return self._look().committed(group, topic)

    def has_members(self, group: str) -> bool:
        return self._look().has_members(group)

    def members(self, group: str) -> Sequence[Member]:
        return self._look().members(group)

    def appended_at_ms(self, partition: TopicPartition, offset: int) -> int | None:
        return self._look().appended_at_ms(partition, offset)

    def position_at(self, partition: TopicPartition, time_ms: int) -> int:
        return self._look().position_at(partition, time_ms)

    def ping(self, *, timeout_s: float) -> None:
        self._look().ping(Topic.EVENTS, timeout_s=timeout_s)

    # -- keeping --

    def set_committed(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        self._look().set_committed(group, positions)

    def ensure_topics(self) -> Sequence[str]:
        looking = self._look()
        return TopicMaker(looking.admin, self._options, self._names, looking.contact).ensure()

    def trim(self) -> int:
        """Kafka applies its topics' retention by itself."""
        return 0

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            producer, looking = self._producer, self._looking
        if producer is not None:
            producer.close(timeout_s=CLOSE_S)
        if looking is not None:
            looking.close()

    # -- the administrative connection, shared by the process's threads --

    def _check_open(self) -> None:
        if self._is_closed:
            raise FeedUnavailable(CLOSED)

    def _look(self) -> Looking:
        with self._lock:
            self._check_open()
            if self._looking is None:
                self._looking = Looking(self._options, self._names, self._clock)
            return self._looking


_HANDLES: "weakref.WeakSet[KafkaFeed]" = weakref.WeakSet()


def _after_fork() -> None:
    for handle in list(_HANDLES):
        handle.after_fork()


os.register_at_fork(after_in_child=_after_fork)

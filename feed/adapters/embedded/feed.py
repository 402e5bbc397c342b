"""The handle that one process has on the local files."""

import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from feed.adapters.embedded.consumer import EmbeddedConsumer
from feed.adapters.embedded.files import (
    GROUPS_FILE,
    MEMBERS_FOLDER,
    exclusively,
    open_existing,
    topic_path,
    unavailable,
)
from feed.adapters.embedded.groups import GroupFile
from feed.adapters.embedded.liveness import Observer, is_dead
from feed.adapters.embedded.log import TopicLog
from feed.adapters.embedded.options import Options, parse_options
from feed.adapters.embedded.producer import Producer, Publish
from feed.adapters.embedded.reader import EmbeddedReader
from feed.adapters.embedded.retention import passed_by_all, trim_step
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
from feed.sqlite import Connection, open_file
from feed.ticket import Ticket
from feed.topics import CONSTANT_READERS, Topic

HOUR_MS = 3_600_000
CLOSE_S = 10.0


def open_feed(url: str, options: Mapping[str, str], data_dir: Path) -> "EmbeddedFeed":
    """The feed below `data_dir/feed/`; touches no file yet. Raises WrongOption."""
    return EmbeddedFeed(data_dir / "feed", parse_options(options))


class EmbeddedFeed:
    """Implements `feed.ports.Feed`. The clock is an argument so that tests can move it."""

    def __init__(
        self,
        folder: Path,
        options: Options,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._folder, self._options = folder, options
        self._clock = clock or Clock()
        self._is_closed = False
        self._start_anew()
        _HANDLES.add(self)

    def _start_anew(self) -> None:
        """Also in a forked child, whose parent's thread and lock are not there."""
        self._lock = threading.RLock()
        self._producer: Producer | None = None
        self._connections: dict[Path, Connection] = {}
        self._observers: dict[str, Observer] = {}

    def after_fork(self) -> None:
        """In the child: a handle that has opened nothing works on. Where it has, opening is
        refused, and the handle says so (feed/sqlite.py)."""
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
        ticket = Ticket(len(records))
        if records:
            producer = self._producer or self._make_producer()
            producer.offer(Publish(topic, records, size, ticket))
        return ticket

    def _make_producer(self) -> Producer:
        with self._lock:
            self._check_open()
            if self._producer is None:
                self._producer = Producer(self._folder, self._options, self._clock)
            return self._producer

    def reports(self) -> None:
        """The producer's thread settles a whole group commit at once."""

    def flush(self, *, timeout_s: float) -> bool:
        return self._producer is None or self._producer.flush(timeout_s=timeout_s)

    # -- consuming --

    def consumer(
        self, group: str, topics: Sequence[str], listener: RebalanceListener
    ) -> FeedConsumer:
        self._check_open()
        return EmbeddedConsumer(
            self._folder,
            self._options,
            group=group,
            topics=topics,
            listener=listener,
            clock=self._clock,
        )

    def reader(self, topic: str, *, from_end: bool = True) -> FeedReader:
        self._check_open()
        return EmbeddedReader(self._folder, topic, from_end=from_end)

    # -- looking --

    def bounds(self, topic: str) -> Mapping[int, PartitionBounds]:
        with self._log(topic) as log:
            return log.bounds()

    def committed(self, group: str, topic: str) -> Mapping[int, Committed]:
        with self._groups() as groups:
            return groups.committed(group, topic)

    def has_members(self, group: str) -> bool:
        return bool(self.members(group))

    def members(self, group: str) -> Sequence[Member]:
        with self._groups() as groups:
            state = groups.state(group)
            observer = self._observers.setdefault(
                group, Observer(lease_s=self._options.lease_s, clock=self._clock)
            )
            expired = observer.expired(state.beats.items())
        owners = state.owners()
        return [
            Member(member, frozenset(p for p, owner in owners.items() if owner == member))
            for member in state.beats
            if member not in expired and not self._is_dead(member)
        ]

    def _is_dead(self, member: str) -> bool:
        return is_dead(self._folder / MEMBERS_FOLDER, member)

    def appended_at_ms(self, partition: TopicPartition, offset: int) -> int | None:
        with self._log(partition.topic) as log:
            return log.chunk_time(partition.partition, offset)

    def position_at(self, partition: TopicPartition, time_ms: int) -> int:
        with self._log(partition.topic) as log:
            return log.position_at(partition.partition, time_ms)

    def ping(self, *, timeout_s: float) -> None:
        if not self._lock.acquire(timeout=timeout_s):
            raise FeedUnavailable(f"the feed's files did not answer in {timeout_s:g} s")
        try:
            with self._log(Topic.EVENTS) as log:
                log.head()
        finally:
            self._lock.release()

    # -- keeping --

    def set_committed(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        with self._groups() as groups:
            groups.set_committed(
                group, positions, now_ms=self._clock.now_ms(), is_dead=self._is_dead
            )

    def ensure_topics(self) -> Sequence[str]:
        self._check_open()
        with unavailable(f"cannot make files in {self._folder}"), exclusively(self._folder):
            made = [self._ensure_topic(topic) for topic in Topic]
            groups = GroupFile(open_file(self._folder / GROUPS_FILE))
            try:
                groups.make()
            finally:
                groups.connection.close(True)
        return [sentence for sentence in made if sentence is not None]

    def _ensure_topic(self, topic: str) -> str | None:
        connection = open_file(topic_path(self._folder, topic))
        try:
            return TopicLog(connection, topic).make(self._options.partitions)
        finally:
            connection.close(True)

    def trim(self) -> int:
        return sum(self._trim_topic(topic) for topic in Topic)

    def _trim_topic(self, topic: Topic) -> int:
        keep_ms = self._options.retention_hours[topic] * HOUR_MS
        before_ms = int(self._clock.now_ms() - keep_ms)
        with self._groups() as groups:
            passed = [groups.committed(group, topic) for group in CONSTANT_READERS[topic]]
        return sum(
            self._trim_partition(
                TopicPartition(topic, partition),
                before_ms=before_ms,
                passed=passed_by_all(passed, partition),
            )
            for partition in self.bounds(topic)
        )

    def _trim_partition(
        self, partition: TopicPartition, *, before_ms: int, passed: int | None
    ) -> int:
        """Step by step: others may use the handle, or close it, in between."""
        deleted = 0
        while True:
            with self._log(partition.topic) as log:
                count = trim_step(log, partition.partition, before_ms=before_ms, passed=passed)
            if not count:
                return deleted
            deleted += count

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            producer, self._producer = self._producer, None
            connections, self._connections = self._connections, {}
        if producer is not None:
            producer.close(timeout_s=CLOSE_S)
        for connection in connections.values():
            connection.close(True)

    # -- connections of the looking and keeping methods, shared by the process's threads --

    def _check_open(self) -> None:
        if self._is_closed:
            raise FeedUnavailable("this process's handle on the feed is closed")

    @contextmanager
    def _connection(self, path: Path) -> Iterator[Connection]:
        with self._lock, unavailable(f"cannot read {path.name}"):
            self._check_open()
            connection = self._connections.get(path)
            if connection is None:
                connection = self._connections[path] = open_existing(path)
            yield connection

    @contextmanager
    def _log(self, topic: str) -> Iterator[TopicLog]:
        with self._connection(topic_path(self._folder, topic)) as connection:
            yield TopicLog(connection, topic)

    @contextmanager
    def _groups(self) -> Iterator[GroupFile]:
        with self._connection(self._folder / GROUPS_FILE) as connection:
            yield GroupFile(connection)


_HANDLES: "weakref.WeakSet[EmbeddedFeed]" = weakref.WeakSet()


def _after_fork() -> None:
    for handle in list(_HANDLES):
        handle.after_fork()


os.register_at_fork(after_in_child=_after_fork)

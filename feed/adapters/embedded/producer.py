"""Group commit: one thread a process takes whatever is queued and writes it, a transaction a topic.

A ticket is settled after the commit that holds its records, or with what kept them out.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from feed import crash_points
from feed.adapters.embedded.chunks import cut, pack
from feed.adapters.embedded.files import open_existing, topic_path, unavailable
from feed.adapters.embedded.log import Chunk, Head, TopicLog
from feed.adapters.embedded.options import Options
from feed.clock import Clock
from feed.errors import FeedFull, FeedUnavailable
from feed.ports import OutgoingRecord
from feed.sqlite import writing
from feed.ticket import Logged, Ticket

logger = logging.getLogger(__name__)
CHUNK_BYTES = 1024 * 1024
TRANSACTION_BYTES = 16 * 1024 * 1024
_CLOSED = "this process's handle on the feed is closed"


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: a pure function, the same in every process."""
    return crc32(key) % partitions


class Publish(NamedTuple):
    """What one call handed over."""

    topic: str
    records: Sequence[OutgoingRecord]
    size: int
    ticket: Ticket


class Producer:
    """The bounded queue and its writer thread. `offer` may be called from any thread."""

    def __init__(self, folder: Path, options: Options, clock: Clock) -> None:
        self._options = options
        self._writer = _Writer(folder, clock)
        self._queue: deque[Publish] = deque()
        self._queued_bytes = self._queued_records = 0
        self._taken: Sequence[Publish] = ()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="feed-writer", daemon=True)
        self._thread.start()

    def offer(self, publish: Publish) -> None:
        """Queue it. Raises FeedFull when it does not fit (into an empty queue anything does),
        FeedUnavailable when closed."""
        with self._changed:
            if self._closing:
                raise FeedUnavailable(_CLOSED)
            size = self._queued_bytes + publish.size
            count = self._queued_records + len(publish.records)
            if self._queued_records and (
                size > self._options.queue_bytes or count > self._options.queue_records
            ):
                raise FeedFull(f"{self._queued_records} records wait to be written in this process")
            self._queue.append(publish)
            self._queued_bytes, self._queued_records = size, count
            self._changed.notify_all()

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until everything offered so far is settled; False at the time limit."""
        with self._changed:
            waiting = [publish.ticket for publish in (*self._taken, *self._queue)]
        deadline = time.monotonic() + timeout_s
        return all(
            ticket.wait(timeout_s=max(0.0, deadline - time.monotonic())) for ticket in waiting
        )

    def close(self, *, timeout_s: float) -> None:
        """Write what is queued, within the time limit; fail the rest. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._changed:
            left, self._queue = list(self._queue), deque()
            self._queued_bytes = self._queued_records = 0
        for publish in left:
            _fail(publish, FeedUnavailable(_CLOSED))

    def _run(self) -> None:
        while taken := self._take():
            try:
                self._writer.write(taken)
            except Exception:
                logger.exception("feed writer failed", extra={"action": "feed_writer_failed"})
                for publish in taken:
                    _fail(publish, FeedUnavailable("the feed's writer failed: see the log"))
            self._taken = ()
        self._writer.close()

    def _take(self) -> Sequence[Publish]:
        """What the next transaction holds, in order of arrival; nothing once closed and empty."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            taken: list[Publish] = []
            size = 0
            while self._queue and size < TRANSACTION_BYTES:
                publish = self._queue.popleft()
                taken.append(publish)
                size += publish.size
                self._queued_records -= len(publish.records)
            self._queued_bytes -= size
            self._taken = taken
            return taken


class _Writer:
    """The writer thread's own connections, a topic each."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._logs: dict[str, TopicLog] = {}
        self._partitions: dict[str, int] = {}

    def write(self, taken: Sequence[Publish]) -> None:
        by_topic: dict[str, list[Publish]] = {}
        for publish in taken:
            by_topic.setdefault(publish.topic, []).append(publish)
        for topic, publishes in by_topic.items():
            try:
                with unavailable(f"cannot write topic {topic}"):
                    self._write_topic(self._log(topic), publishes)
            except FeedUnavailable as exc:
                logger.warning(
                    "records were not written: %s", exc, extra={"action": "feed_write_failed"}
                )
                self._forget(topic)
                for publish in publishes:
                    _fail(publish, exc)

    def _log(self, topic: str) -> TopicLog:
        log = self._logs.get(topic)
        if log is None:
            log = TopicLog(open_existing(topic_path(self._folder, topic)), topic)
            self._logs[topic] = log
        return log

    def _write_topic(self, log: TopicLog, publishes: Sequence[Publish]) -> None:
        """Pack outside the transaction, for the number of partitions last seen; again if it
        changed."""
        count = self._partitions.get(log.topic) or len(log.head().next_offsets)
        places, chunks = _packed(publishes, count)
        with writing(log.connection):
            head = log.head()
            if len(head.next_offsets) != count:
                places, chunks = _packed(publishes, len(head.next_offsets))
            log.append(head, chunks, now_ms=self._clock.now_ms())
            crash_points.reach("publish.before_commit")
        crash_points.reach("publish.after_commit")
        self._partitions[log.topic] = len(head.next_offsets)
        _settle(publishes, places, head)

    def _forget(self, topic: str) -> None:
        """Open the file anew next time: after a failure it may be another one."""
        log = self._logs.pop(topic, None)
        if log is not None:
            log.connection.close(True)

    def close(self) -> None:
        for topic in list(self._logs):
            self._forget(topic)


def _packed(publishes: Sequence[Publish], count: int) -> tuple[list[list[int]], list[Chunk]]:
    """The partition of every record, a list a publish, and the chunks that hold them."""
    lanes: list[list[OutgoingRecord]] = [[] for _ in range(count)]
    places = []
    for publish in publishes:
        partitions = [partition_of(record.key, count) for record in publish.records]
        for partition, record in zip(partitions, publish.records, strict=True):
            lanes[partition].append(record)
        places.append(partitions)
    chunks = [
        Chunk(partition, len(run), pack(run))
        for partition, records in enumerate(lanes)
        for run in cut(records, max_bytes=CHUNK_BYTES)
    ]
    return places, chunks


def _settle(publishes: Sequence[Publish], places: Sequence[Sequence[int]], head: Head) -> None:
    offsets = list(head.next_offsets)
    for publish, partitions in zip(publishes, places, strict=True):
        outcomes = []
        for partition in partitions:
            outcomes.append(Logged(partition, offsets[partition]))
            offsets[partition] += 1
        publish.ticket.settle_all(outcomes)


def _fail(publish: Publish, error: FeedUnavailable) -> None:
    if not publish.ticket.is_settled():
        publish.ticket.settle_all([error] * len(publish.records))

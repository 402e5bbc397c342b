"""The reader of topic dead-letters: a thread of the admin's process that puts letters into their
table. Several processes share its group; one that dies leaves its partitions to the others."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from django.db import DatabaseError, InterfaceError, connections

from feed.backends import get_feed
from feed.backoff import Backoff
from feed.errors import FeedError, Fenced
from feed.ports import Feed, FeedConsumer, TopicPartition
from feed.topics import Group, Topic
from operations.dead_letters import keep
from operations.outages import Outage

BATCH_RECORDS = 100
"""Letters carry up to 64 KB each: some 7 MB at a time."""
POLL_S = 0.5
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 15.0
STOP_LIMIT_S = 5.0
DRAIN_LIMIT_S = 30.0

logger = logging.getLogger(__name__)


class DeadLetterKeeper:
    """Start and stop it once each; both return at once or within seconds, whatever the feed and
    the database do."""

    def __init__(self, feed: Callable[[], Feed] = get_feed) -> None:
        self._feed = feed
        self._stopping = threading.Event()
        self._backoff = Backoff(first_s=FIRST_WAIT_S, cap_s=MAX_WAIT_S)
        self._outage = Outage(logger, "keeping dead letters", action="dead_letters_wait")
        self._thread = threading.Thread(target=self._run, name="dead-letter-keeper", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand and leave the group. A thread that hangs in an engine is left
        behind: what it has not committed comes again."""
        self._stopping.set()
        self._thread.join(STOP_LIMIT_S)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._attempt()
        finally:
            connections.close_all()

    def _attempt(self) -> None:
        """Read until told to stop or until something fails; then wait, longer each time."""
        try:
            self._read()
        except (FeedError, DatabaseError, InterfaceError) as exc:
            # Both come back, and data loss ends by an operator's decision: the letters stay in
            # their topic meanwhile.
            self._wait(exc)
        except Exception as exc:
            # A bug: logged, and tried again slowly, since nothing supervises this thread.
            logger.exception("dead letters failed", extra={"action": "dead_letters_failed"})
            self._wait(repr(exc))

    def _wait(self, reason: object) -> None:
        connections.close_all()  # one that broke is opened anew
        self._outage.begin(reason)
        self._stopping.wait(self._backoff.next_s())

    def _read(self) -> None:
        consumer = join(self._feed())
        try:
            while not self._stopping.is_set():
                if keep_next(consumer, timeout_s=POLL_S):
                    self._backoff.reset()
                self._outage.end()
        finally:
            consumer.close()


def drain(feed: Feed, *, limit_s: float = DRAIN_LIMIT_S) -> int:
    """Keep every letter that is in the topic now; how many records were read.

    Raises FeedError, DatabaseError, and TimeoutError when others hold the partitions for too long.
    """
    ends = {part: bounds.end for part, bounds in feed.bounds(Topic.DEAD_LETTERS).items()}
    deadline_s = time.monotonic() + limit_s
    consumer = join(feed)
    kept = 0
    try:
        while not _has_passed(feed, ends):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the dead letters were not drained within {limit_s:g} s")
            kept += keep_next(consumer, timeout_s=POLL_S)
    finally:
        consumer.close()
    return kept


def join(feed: Feed) -> FeedConsumer:
    """A member of the keepers' group. Every turn ends with nothing in hand, so that a rebalance,
    which comes from inside a poll, has nothing to save."""
    return feed.consumer(Group.DEAD_LETTER_KEEPER, [Topic.DEAD_LETTERS], _Unmoved())


def keep_next(consumer: FeedConsumer, *, timeout_s: float) -> int:
    """One turn: poll, store, then commit; how many records were kept. Raises FeedError,
    DatabaseError: leave the group and join anew, the records come again."""
    records = consumer.poll(BATCH_RECORDS, timeout_s=timeout_s)
    if not records:
        return 0
    keep(records)
    positions = {TopicPartition(each.topic, each.partition): each.offset + 1 for each in records}
    try:
        consumer.commit(positions)
    except Fenced:
        return 0  # another member reads them again and finds them kept
    return len(records)


def _has_passed(feed: Feed, ends: Mapping[int, int]) -> bool:
    committed = feed.committed(Group.DEAD_LETTER_KEEPER, Topic.DEAD_LETTERS)
    return all(
        end == 0 or (partition in committed and committed[partition].position >= end)
        for partition, end in ends.items()
    )


class _Unmoved:
    """A rebalance listener with nothing to do."""

    def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Reading starts at the committed positions."""

    def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Nothing is in hand."""

    def on_lost(self, partitions: frozenset[TopicPartition]) -> None:
        """Nothing is in hand."""

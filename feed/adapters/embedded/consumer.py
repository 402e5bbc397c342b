"""One member of a consumer group on the local files."""

import time
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from pathlib import Path

from feed.adapters.embedded.cursor import PartitionCursor
from feed.adapters.embedded.files import (
    GROUPS_FILE,
    Watch,
    open_existing,
    topic_path,
    unavailable,
)
from feed.adapters.embedded.groups import GroupFile
from feed.adapters.embedded.log import TopicLog
from feed.adapters.embedded.membership import Membership
from feed.adapters.embedded.options import Options
from feed.clock import Clock
from feed.errors import DataLoss, Fenced
from feed.ports import PartitionBounds, RebalanceListener, Record, TopicPartition

POLL_EVERY_S = 0.04
"""How often an idle consumer looks at its topics: a pragma each, 17 us, and a sleep of 40 us."""
LOOKS_A_GROUP_LOOK = 4
"""How many looks at the topics go on one at the group: partitions may wait longer than records."""
MAX_POLL_BYTES = 16 * 1024 * 1024


class EmbeddedConsumer:
    """Implements `feed.ports.FeedConsumer`."""

    def __init__(
        self,
        folder: Path,
        options: Options,
        *,
        group: str,
        topics: Sequence[str],
        listener: RebalanceListener,
        clock: Clock,
    ) -> None:
        self._folder, self._group, self._topics = folder, group, tuple(topics)
        self._listener, self._clock = listener, clock
        self._membership = Membership(
            folder, options, group=group, topics=topics, listener=self, clock=clock
        )
        self._files: _Files | None = None
        self._cursors: dict[TopicPartition, PartitionCursor] = {}
        self._paused: set[TopicPartition] = set()
        self._turn = 0
        self._group_changed = True
        self._is_closed = False

    # -- the port --

    def poll(self, max_records: int, *, timeout_s: float) -> Sequence[Record]:
        deadline = time.monotonic() + timeout_s
        with unavailable(f"group {self._group} cannot read"):
            files = self._open()
            while True:
                self._membership.polled()
                self._tick(files)
                files.topics_watch.mark()
                records = self._fetch(max_records)
                if records or time.monotonic() >= deadline:
                    return records
                self._wait(files, deadline)

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        with unavailable(f"group {self._group} cannot commit"):
            try:
                self._open().groups.commit(
                    self._group,
                    self._membership.member,
                    positions,
                    epochs=self._membership.epochs,
                    now_ms=self._clock.now_ms(),
                )
            except Fenced:
                self._group_changed = True
                raise

    def seek(self, partition: TopicPartition, position: int) -> None:
        if partition not in self._membership.epochs:
            raise Fenced(f"{partition.topic}[{partition.partition}] is not this member's to seek")
        self._cursor(partition).seek(position)

    def pause(self, partitions: frozenset[TopicPartition]) -> None:
        self._paused |= partitions & self._membership.epochs.keys()

    def resume(self, partitions: frozenset[TopicPartition]) -> None:
        self._paused -= partitions

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._membership.epochs)

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._files is not None:
            with unavailable(f"group {self._group} cannot leave in order"):
                try:
                    self._membership.leave(self._files.groups)
                finally:
                    self._files.close()

    # -- the membership's listener: forget what was read, then tell ours --

    def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Reading starts at the committed positions."""
        self._forget(partitions)
        self._listener.on_assigned(partitions)

    def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Told first, so that a commit inside still counts."""
        self._listener.on_revoked(partitions)
        self._forget(partitions)

    def on_lost(self, partitions: frozenset[TopicPartition]) -> None:
        """Nothing of these may be delivered any more."""
        self._forget(partitions)
        self._listener.on_lost(partitions)

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        self._paused -= set(partitions)
        for partition in partitions:
            self._cursors.pop(partition, None)

    # -- reading --

    def _open(self) -> "_Files":
        if self._files is None:
            self._files = _Files(self._folder, self._topics)
        return self._files

    def _tick(self, files: "_Files") -> None:
        if self._group_changed or self._membership.is_due() or files.groups_watch.changed():
            self._group_changed = True  # until the whole of it is done
            files.groups_watch.mark()
            self._membership.tick(files.groups, files.partitions())
            self._group_changed = False

    def _fetch(self, max_records: int) -> list[Record]:
        """A fair share of every partition first, then whatever the fuller ones have."""
        active = sorted(self._membership.epochs.keys() - self._paused)
        if not active:
            return []
        self._turn = (self._turn + 1) % len(active)
        active = active[self._turn :] + active[: self._turn]
        found: list[Record] = []
        room_bytes = MAX_POLL_BYTES
        for limit in (max(1, max_records // len(active)), max_records):
            for partition in active:
                room = min(limit, max_records - len(found))
                if room > 0 and room_bytes > 0:
                    records = self._cursor(partition).take(room, max_bytes=room_bytes)
                    room_bytes -= sum(len(record.value) for record in records)
                    found += records
        return found

    def _cursor(self, partition: TopicPartition) -> PartitionCursor:
        cursor = self._cursors.get(partition)
        if cursor is None:
            files = self._open()
            committed = files.groups.committed(self._group, partition.topic)
            found = committed.get(partition.partition)
            log = files.logs[partition.topic]
            position = None if found is None else found.position
            cursor = PartitionCursor(log, partition, position, loss=self._loss)
            self._cursors[partition] = cursor
        return cursor

    def _loss(
        self, partition: TopicPartition, position: int | None, bounds: PartitionBounds
    ) -> DataLoss:
        return DataLoss(
            group=self._group,
            topic=partition.topic,
            partition=partition.partition,
            position=position,
            start=bounds.start,
            end=bounds.end,
        )

    def _wait(self, files: "_Files", deadline: float) -> None:
        """Until a topic changes, the group is to be looked at, or the time is up."""
        for look in count(1):
            if files.topics_watch.changed() or self._membership.is_due():
                return
            if look % LOOKS_A_GROUP_LOOK == 0 and files.groups_watch.changed():
                return
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, POLL_EVERY_S))


class _Files:
    """The consumer's own connections."""

    def __init__(self, folder: Path, topics: Sequence[str]) -> None:
        self.groups = GroupFile(open_existing(folder / GROUPS_FILE))
        self.logs = {
            topic: TopicLog(open_existing(topic_path(folder, topic)), topic) for topic in topics
        }
        self.groups_watch = Watch(self.groups.connection)
        self.topics_watch = Watch(*(log.connection for log in self.logs.values()))

    def partitions(self) -> list[TopicPartition]:
        """Every partition of every topic, now."""
        return [
            TopicPartition(topic, partition)
            for topic, log in self.logs.items()
            for partition in range(len(log.head().next_offsets))
        ]

    def close(self) -> None:
        self.groups.connection.close(True)
        for log in self.logs.values():
            log.connection.close(True)

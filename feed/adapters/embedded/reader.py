"""Reads a whole topic without a group."""

import time
from collections.abc import Sequence
from pathlib import Path

from feed.adapters.embedded.consumer import MAX_POLL_BYTES, POLL_EVERY_S
from feed.adapters.embedded.files import Watch, open_existing, topic_path, unavailable
from feed.adapters.embedded.log import TopicLog
from feed.ports import Record


class EmbeddedReader:
    """Implements `feed.ports.FeedReader`."""

    def __init__(self, folder: Path, topic: str, *, from_end: bool) -> None:
        self._topic = topic
        self._log = TopicLog(open_existing(topic_path(folder, topic)), topic)
        self._watch = Watch(self._log.connection)
        with unavailable(f"cannot read topic {topic}"):
            ends = self._log.head().next_offsets
        self._positions = list(ends) if from_end else [0] * len(ends)
        self._turn = 0

    def poll(self, max_records: int, *, timeout_s: float) -> Sequence[Record]:
        deadline = time.monotonic() + timeout_s
        with unavailable(f"cannot read topic {self._topic}"):
            while True:
                self._watch.mark()
                records = self._fetch(max_records)
                if records or time.monotonic() >= deadline:
                    return records
                self._wait(deadline)

    def _fetch(self, max_records: int) -> list[Record]:
        ends = self._log.head().next_offsets
        self._positions += [0] * (len(ends) - len(self._positions))
        self._turn += 1
        found: list[Record] = []
        for index in range(len(ends)):
            partition = (index + self._turn) % len(ends)
            if len(found) < max_records and self._positions[partition] < ends[partition]:
                found += self._read(partition, max_records - len(found), ends[partition])
        return found

    def _read(self, partition: int, max_records: int, end: int) -> list[Record]:
        records = self._log.read(
            partition,
            self._positions[partition],
            max_records=max_records,
            max_bytes=MAX_POLL_BYTES,
        )[:max_records]
        self._positions[partition] = records[-1].offset + 1 if records else end
        return records

    def _wait(self, deadline: float) -> None:
        while not self._watch.changed():
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, POLL_EVERY_S))

    def close(self) -> None:
        self._log.connection.close(True)

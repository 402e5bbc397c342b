"""Starts processes of tests/contract/feed_process.py, and reads what they and the log say."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from feed.ports import Feed
from tests.contract.feed_driver import PATIENCE_S, read
from tests.contract.feed_process import TOPIC, read_journal

Start = Callable[..., "Worker"]


class Worker:
    """One process of tests/contract/feed_process.py and its journal."""

    def __init__(
        self, role: str, url: str, data_dir: Path, journal: Path, crash_point: str
    ) -> None:
        self.journal = journal
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.feed_process", role, url]
            + [os.fspath(data_dir), os.fspath(journal), crash_point],
            stdin=subprocess.PIPE,
        )

    def lines(self) -> list[list[object]]:
        return read_journal(self.journal)

    def places(self) -> list[tuple[int, int, str]]:
        """Every (partition, offset, value) journaled."""
        return [
            (int(partition), int(offset), str(value))
            for line in self.lines()
            if isinstance(line[0], list)
            for partition, offset, value in line[0]
        ]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its own end."""
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        if self.process.stdin is not None:
            self.process.stdin.close()


@contextmanager
def starting(url: str, folder: Path) -> Iterator[Start]:
    """Starts processes on the feed at `url`; kills what is left of them at the end."""
    with ExitStack() as stack:

        def started(role: str, crash_point: str = "") -> Worker:
            number = len(list(folder.glob("*.journal")))
            journal = folder / f"{number}-{role}.journal"
            journal.touch()
            worker = Worker(role, url, folder, journal, crash_point)
            stack.callback(worker.kill)
            return worker

        yield started


def log_of(feed: Feed) -> set[tuple[int, int, str]]:
    """Everything in the log: (partition, offset, value)."""
    count = sum(bounds.end for bounds in feed.bounds(TOPIC).values())
    records = read(feed.reader(TOPIC, from_end=False), count)
    return {(record.partition, record.offset, record.value.decode()) for record in records}

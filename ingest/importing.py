"""Import of events from NDJSON: the same admission as over HTTP, with a bounded number of batches
on their way into the feed."""

import gzip
import sys
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from feed.clock import Clock
from feed.event import ProjectId
from feed.ports import Feed
from ingest.services import Accepted, Submission, accept

STANDARD_INPUT = "-"
TRANSPORT = "import"
BATCH_ROWS = 500
MAX_LINE_BYTES = 5 * 1024 * 1024  # a longer line is no NDJSON: reading it whole would fill memory
MAX_IN_FLIGHT = 8  # batches
SETTLE_S = 30.0  # for one batch, after which it is offered again
PATIENCE_S = 300.0  # for one batch in all
_WHITESPACE = b" \t\r\n\0"


class ImportFailed(Exception):
    """The import cannot go on; what was counted so far is in the feed. Running it again is safe
    where the rows carry ids."""


@dataclass(slots=True)
class Tally:
    """Rows by what became of them, and how far reading has come, in bytes of the file."""

    ok: int = 0
    warning: int = 0
    rejected: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    read_bytes: int = 0

    def total(self) -> int:
        """Rows whose fate is known."""
        return self.ok + self.warning + self.rejected


class Importer:
    """Imports files one after another. `on_progress` is called after every batch that is in."""

    def __init__(
        self,
        feed: Feed,
        project: ProjectId,
        on_progress: Callable[[Tally], None],
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._feed, self._project, self._on_progress = feed, project, on_progress
        self._clock, self._sleep, self._patience_s = clock or Clock(), sleep, patience_s
        self._in_flight: deque[Accepted] = deque()
        self._done_bytes = 0
        self.tally = Tally()

    def run(self, name: str) -> None:
        """Every row of one file, or of standard input for "-".

        Raises ImportFailed, naming what to do.
        """
        request_id = f"import-{Path(name).name}"
        with _opened(name) as source:
            for first_index, rows in _batches(source):
                while len(self._in_flight) >= MAX_IN_FLIGHT:
                    self._finish_oldest()
                submission = Submission(
                    rows,
                    self._project,
                    request_id,
                    TRANSPORT,
                    takes_back=True,
                    first_index=first_index,
                )
                self._in_flight.append(accept(submission, self._feed, now_ms=self._clock.now_ms()))
                self.tally.read_bytes = self._done_bytes + source.position()
        self.settle()
        self._done_bytes = self.tally.read_bytes

    def settle(self) -> None:
        """Wait for what is on its way. Raises ImportFailed."""
        while self._in_flight:
            self._finish_oldest()

    def _finish_oldest(self) -> None:
        accepted = self._in_flight[0]
        give_up_s = self._clock.monotonic_s() + self._patience_s
        accepted.wait(timeout_s=SETTLE_S)
        while (delay_s := accepted.retry_delay_s()) is not None:
            if self._clock.monotonic_s() > give_up_s:
                raise ImportFailed(
                    f"the feed has taken nothing for {self._patience_s:g} s: see its log, then "
                    "run the import again"
                )
            self._sleep(delay_s)
            accepted.offer_again(self._feed)
            accepted.wait(timeout_s=SETTLE_S)
        self._in_flight.popleft()
        self._count(accepted)

    def _count(self, accepted: Accepted) -> None:
        outcome = accepted.outcome()
        self.tally.ok += outcome.counts.ok
        self.tally.warning += outcome.counts.warning
        self.tally.rejected += outcome.counts.rejected
        for row in outcome.results:
            if isinstance(row.code, str):
                self.tally.codes[str(row.code)] = self.tally.codes.get(str(row.code), 0) + 1
        self._on_progress(self.tally)


@dataclass(frozen=True, slots=True)
class _Source:
    """Lines, and the file that they come from, which knows how far it has been read."""

    name: str
    raw: IO[bytes]
    lines: IO[bytes]

    def position(self) -> int:
        return 0 if self.name == STANDARD_INPUT else self.raw.tell()


@contextmanager
def _opened(name: str) -> Iterator[_Source]:
    try:
        with _raw(name) as raw:
            packed = name.endswith(".gz")
            lines: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
            yield _Source(name, raw, lines)
    except (gzip.BadGzipFile, EOFError, zlib.error) as exc:
        raise ImportFailed(f"{name} is not whole gzip: {exc}") from exc
    except OSError as exc:
        raise ImportFailed(f"{name} cannot be read: {exc.strerror or exc}") from exc


@contextmanager
def _raw(name: str) -> Iterator[IO[bytes]]:
    if name == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


def _batches(source: _Source) -> Iterator[tuple[int, list[bytes]]]:
    """Up to BATCH_ROWS rows with the index of the first: its place among the lines that hold
    something."""
    first_index, rows = 0, []
    number = 0
    while line := source.lines.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise ImportFailed(f"line {number} of {source.name} is over {MAX_LINE_BYTES} bytes")
        if row := line.strip(_WHITESPACE):
            rows.append(row)
        if len(rows) == BATCH_ROWS:
            yield first_index, rows
            first_index, rows = first_index + len(rows), []
    if rows:
        yield first_index, rows

"""`export_events --project P [--from T] [--to T] [--output FILE] [--wait SECONDS]`."""

import gzip
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError

from access.errors import NotRegistered
from access.lookups import get_project
from feed.backends import get_feed
from feed.errors import FeedError
from feed.group_wait import GroupsBehind, Waiting, wait_for_groups
from feed.topics import Group
from ingest.time_arguments import whole_seconds
from operations.exporting import pages
from operations.range_arguments import add_range
from warehouse.backends import get_event_store
from warehouse.errors import StoreError
from warehouse.ports import ScanWindow

"""The last time that a key can say."""
DEFAULT_WAIT_S = 60.0
TELL_EVENTS = 100_000
INTERRUPTED = 130
READER_GONE = 141


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Write a project's events as NDJSON that import_events takes back: the same keys, the same "
        "versions. Waits first until the warehouse has what the feed holds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose events, of when, where to."""
        add_range(parser)
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="instead of standard output; *.gz is gzip"
        )
        parser.add_argument(
            "--wait",
            dest="wait_s",
            type=whole_seconds,
            default=DEFAULT_WAIT_S,
            metavar="SECONDS",
            help="at most so long for the warehouse sink (default 60)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError with one sentence; SystemExit 130 when interrupted."""
        window = _window(options)
        output: Path | None = options["output"]
        self._count = 0
        try:
            waiting = Waiting(options["wait_s"], self._tell_left)
            wait_for_groups(get_feed(), [Group.SINK], waiting)
            with self._opened(output) as file:
                self._write(window, file)
        except KeyboardInterrupt:
            self.stderr.write(f"interrupted after {self._count} events: the export is incomplete")
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read has enough; what Python still wants to flush has no reader either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(READER_GONE) from None
        except (FeedError, StoreError, GroupsBehind, OSError) as exc:
            raise CommandError(f"{exc} ({self._count} events were written)") from exc
        else:
            self.stderr.write(f"{self._count} events exported", style_func=str)

    def _write(self, window: ScanWindow, file: IO[bytes]) -> None:
        for lines, count in pages(get_event_store(), window):
            file.write(lines)
            told, self._count = self._count // TELL_EVENTS, self._count + count
            if self._count // TELL_EVENTS > told:
                self.stderr.write(f"{self._count} events …", style_func=str)

    def _tell_left(self, _: Group, left: int) -> None:
        self.stderr.write(f"waiting for the warehouse: {left} records to go", style_func=str)

    @contextmanager
    def _opened(self, output: Path | None) -> Iterator[IO[bytes]]:
        """Standard output, or a file that gets its name only when it is complete."""
        if output is None:
            # Any: OutputWrapper hands on whatever the real stream has.
            file = cast("IO[bytes]", self.stdout.buffer)
            yield file
            file.flush()
            return
        part = output.with_name(f"{output.name}.part")
        with part.open("wb") as raw:
            with _compressed(raw) if output.suffix == ".gz" else nullcontext(raw) as file:
                yield file
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(output)


@contextmanager
def _compressed(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as file:
        yield cast("IO[bytes]", file)


def _window(options: dict[str, Any]) -> ScanWindow:
    """Raises CommandError."""
    try:
        project = get_project(options["project"]).name
    except NotRegistered as exc:
        raise CommandError(str(exc)) from exc
    if options["start_ms"] >= options["end_ms"]:
        raise CommandError("--from must be before --to: the end is not part of the export")
    return ScanWindow(project, options["start_ms"], options["end_ms"])

"""`import_events --project P [--json] FILE…`."""

import json
import os
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access.errors import NotRegistered
from access.lookups import get_project
from feed.backends import get_feed
from feed.event import ProjectId
from ingest.importing import STANDARD_INPUT, Importer, ImportFailed, Tally

INTERRUPTED = 130
SOME_REJECTED = 1
BAR_CHARS = 30
REDRAW_S = 0.2
TELL_S = 10.0


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Import events from NDJSON files (*.gz, or - for standard input) through the same admission"
        " as the API. Rows of export_events keep their keys and versions; rows without an id get a "
        "new one, and count again when they are imported again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose events, and where they are."""
        parser.add_argument("--project", required=True, metavar="P")
        parser.add_argument("--json", action="store_true", help="end with the counts as JSON")
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(
        self, *, project: str, files: Sequence[str], **options: Any
    ) -> None:  # Any: Django's own options
        """Raises CommandError with one sentence, SystemExit 1 when a row was rejected and 130 when
        interrupted."""
        names = _checked(files)
        progress = _Progress(self, _size_of(names))
        importer = Importer(get_feed(), _project(project), progress.show)
        try:
            with _terminated_like_interrupted():
                for name in names:
                    importer.run(name)
        except KeyboardInterrupt:
            _settle(importer)
            self._finish(progress, importer.tally, as_json=options["json"], is_whole=False)
            raise SystemExit(INTERRUPTED) from None
        except ImportFailed as exc:
            self._finish(progress, importer.tally, as_json=options["json"], is_whole=False)
            raise CommandError(str(exc)) from exc
        self._finish(progress, importer.tally, as_json=options["json"], is_whole=True)
        if importer.tally.rejected:
            raise SystemExit(SOME_REJECTED)

    def _finish(
        self, progress: "_Progress", tally: Tally, *, as_json: bool, is_whole: bool
    ) -> None:
        progress.clear()
        self.stdout.write(_as_json(tally, is_whole) if as_json else _as_text(tally, is_whole))


def _as_json(tally: Tally, is_whole: bool) -> str:
    counts = {"ok": tally.ok + tally.warning, "rejected": tally.rejected, "codes": tally.codes}
    return json.dumps({**counts, "complete": is_whole})


def _as_text(tally: Tally, is_whole: bool) -> str:
    begin = "" if is_whole else "not complete: "
    codes = ", ".join(f"{code} {count}" for code, count in sorted(tally.codes.items()))
    end = f" ({codes})" if codes else ""
    return f"{begin}{tally.ok + tally.warning} ok, {tally.rejected} rejected{end}"


def _checked(files: Sequence[str]) -> list[str]:
    """Raises CommandError for a file that is not there, before anything is imported."""
    for name in files:
        if name != STANDARD_INPUT and not os.access(name, os.R_OK):
            raise CommandError(f"{name} cannot be read: nothing was imported")
    return list(files)


def _size_of(names: Sequence[str]) -> int | None:
    """Bytes of all files; None when one of them is standard input."""
    if STANDARD_INPUT in names:
        return None
    return sum(Path(name).stat().st_size for name in names)


def _project(name: str) -> ProjectId:
    try:
        return ProjectId(get_project(name).name)
    except NotRegistered as exc:
        raise CommandError(str(exc)) from exc


def _settle(importer: Importer) -> None:
    try:
        importer.settle()
    except (ImportFailed, KeyboardInterrupt):
        return  # the count then leaves out what was on its way


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends the import as Ctrl-C does: with what is on its way, and a count."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class _Progress:
    """A bar on a terminal; elsewhere a line now and then. On standard error."""

    def __init__(self, command: BaseCommand, size: int | None) -> None:
        self._err, self._size = command.stderr, size
        self._is_terminal = sys.stderr.isatty()
        self._drawn_s = time.monotonic()

    def show(self, tally: Tally) -> None:
        now_s = time.monotonic()
        if now_s - self._drawn_s < (REDRAW_S if self._is_terminal else TELL_S):
            return
        self._drawn_s = now_s
        if self._is_terminal:
            self._err.write(f"\r\x1b[K{self._bar(tally)}", style_func=str, ending="")
        else:
            self._err.write(f"{tally.total()} events so far", style_func=str)

    def _bar(self, tally: Tally) -> str:
        counts = f"{tally.total()} events, {tally.rejected} rejected"
        if not self._size:
            return counts
        share = min(1.0, tally.read_bytes / self._size)
        bar = ("#" * round(share * BAR_CHARS)).ljust(BAR_CHARS, ".")
        return f"[{bar}] {share:4.0%}  {counts}"

    def clear(self) -> None:
        """Leave a clean line for what comes last."""
        if self._is_terminal:
            self._err.write("\r\x1b[K", style_func=str, ending="")

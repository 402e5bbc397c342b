"""Lag by group, topic and partition, for a terminal or a program."""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from operations.lag_states import LagState
from operations.pipeline import LagRow, View, look
from operations.serializers import LagSerializer

WATCH_EVERY_S = 2.0
COMPARED_AFTER_S = 1.0
GOOD = frozenset({LagState.OK, LagState.CATCHING_UP})
EXIT_BAD, EXIT_UNKNOWN = 1, 2
COLUMNS = (
    *("group", "topic", "partition", "lane", "committed", "end"),
    *("lag", "lag_seconds", "drains_in_s", "state"),
)
CLEAR_SCREEN = "\x1b[H\x1b[2J"


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Show lag by group, topic and partition: records, seconds, state. "
        "Exits 0 when all is well, 1 when something needs a look, 2 when it is not known."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--watch", action="store_true", help="again every 2 s until Ctrl-C")
        parser.add_argument("--json", action="store_true", help="as /v1/lag answers; a line a look")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look once, or until interrupted."""
        try:
            view = self._watch(options) if options["watch"] else self._once(options)
        except DatabaseError as exc:
            raise CommandError(
                f"the Django database does not answer ({exc}): has manage.py migrate been run?",
                returncode=EXIT_UNKNOWN,
            ) from exc
        if (code := exit_code(view.state)) != 0:
            sys.exit(code)

    def _once(self, options: dict[str, Any]) -> View:
        view = look()
        if len(view.history) < 2 and any(row.lag for row in view.rows):
            # Nothing to compare with, as no admin process samples: one look cannot tell a group
            # that catches up from one that stands.
            time.sleep(COMPARED_AFTER_S)
            view = look()
        self._show(view, as_json=options["json"])
        return view

    def _watch(self, options: dict[str, Any]) -> View:
        view = look()
        try:
            while True:
                if not options["json"] and self.stdout.isatty():
                    self.stdout.write(CLEAR_SCREEN, ending="")
                self._show(view, as_json=options["json"])
                self.stdout.flush()
                time.sleep(WATCH_EVERY_S)
                view = look()
        except KeyboardInterrupt:
            return view

    def _show(self, view: View, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(LagSerializer(view).data))
            return
        for line in table(view.rows):
            self.stdout.write(line)
        self.stdout.write(f"pipeline: {view.state.value}")


def exit_code(state: LagState) -> int:
    """0 good, 1 bad, 2 unknown."""
    if state is LagState.UNKNOWN:
        return EXIT_UNKNOWN
    return 0 if state in GOOD else EXIT_BAD


def table(rows: Sequence[LagRow]) -> list[str]:
    """The rows under a head, columns aligned; figures that are not known are a dash."""
    cells = [list(COLUMNS)] + [[_cell(getattr(row, name)) for name in COLUMNS] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _cell(value: object) -> str:
    return "-" if value is None else str(value)

"""Generations of the view from a terminal: `manage.py replay rebuild`, `generations`, `verify`,
`diff`, `swap`, `rollback` and `drop`."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from replay import rebuilds
from replay.generation_diff import against_served
from replay.generation_serializers import DifferingCellSerializer, generation_as_json
from replay.journal import Actor
from replay.models import Replay
from replay.progress_lines import bar
from replay.rebuilds import Built
from replay.reports import report
from replay.services import CLOCK

DIFF_ROWS = 500
"""Of a page; a terminal gets all pages."""
Options = dict[str, Any]  # Any: what argparse gives


class Output(Protocol):
    """Where lines go."""

    def write(self, line: str) -> Any:  # Any: as of Django's own
        """One line."""


def add_actions(actions: Any, add_rate: Callable[[ArgumentParser], None]) -> None:
    """Any: argparse's own type has no public name."""
    rebuild = actions.add_parser("rebuild", help="build the whole view anew, beside the one served")
    rebuild.add_argument("--reason", required=True, help="why; kept in its log")
    rebuild.add_argument("--watch", action="store_true", help="show its progress to the end")
    add_rate(rebuild)
    rebuild.set_defaults(max_eps=0)
    actions.add_parser("generations", help="builds of the view, newest first")
    for name, what in (
        ("verify", "compare a generation with the warehouse again"),
        ("diff", "what a generation shows other than the one that is served"),
        ("swap", "serve a generation that is ready"),
        ("drop", "free a generation that is not served"),
    ):
        action = actions.add_parser(name, help=what)
        action.add_argument("generation", type=int, metavar="N")
        if name == "verify":
            action.add_argument("--watch", action="store_true", help="show its progress to the end")
    actions.add_parser("rollback", help="serve again what was served before")


class GenerationLines:
    """Does one of them. `tell` shows a replay, or its way to the end."""

    def __init__(
        self,
        out: Output,
        actor: Actor,
        *,
        as_json: bool,
        tell: Callable[[Replay, Options], None],
    ) -> None:
        self._out, self._actor, self._as_json, self._tell = out, actor, as_json, tell

    @property
    def actions(self) -> Mapping[str, Callable[[Options], None]]:
        """By the word that asks for it. Each raises as `rebuilds` does."""
        return {
            "generations": self._list,
            "verify": self._verify,
            "diff": self._diff,
            "swap": lambda options: self._write(rebuilds.swap(options["generation"], self._actor)),
            "drop": lambda options: self._write(rebuilds.drop(options["generation"], self._actor)),
            "rollback": lambda options: self._write(rebuilds.rollback(self._actor)),
        }

    def _list(self, options: Options) -> None:
        for built in rebuilds.all_built():
            self._write(built)

    def _verify(self, options: Options) -> None:
        built = rebuilds.verify(options["generation"], self._actor)
        if built.rebuild is not None:
            self._tell(built.rebuild, options)

    def _diff(self, options: Options) -> None:
        diff = against_served(options["generation"])
        if not self._as_json:
            self._out.write(
                f"{'hour, UTC':<17}{diff.served:>12}{diff.generation:>12}  project, event"
            )
        after = None
        while True:
            page = diff.page(after=after, limit=DIFF_ROWS)
            for cell in page.cells:
                if self._as_json:
                    self._out.write(json.dumps(DifferingCellSerializer(cell).data))
                    continue
                hour = f"{datetime.fromtimestamp(cell.hour_ms / 1000, UTC):%Y-%m-%d %H:00}"
                counts = f"{cell.served:>12}{cell.generation:>12}"
                self._out.write(f"{hour:<17}{counts}  {cell.project}, {cell.event}")
            if page.after is None:
                return
            after = page.after

    def _write(self, built: Built) -> None:
        self._out.write(json.dumps(generation_as_json(built)) if self._as_json else line(built))


def line(built: Built) -> str:
    """`generation 2  ready, served  completed  [####]  emitted 9, projected 9 of 9`"""
    row = built.row
    roles = [str(row.state)]
    roles += ["served"] if row.is_served else []
    roles += ["a rollback goes to it"] if row.is_previous else []
    said = f"generation {row.number}  {', '.join(roles)}"
    if built.rebuild is None:
        return said
    return f"{said}  {bar(report(built.rebuild, now_ms=CLOCK.now_ms()))}"

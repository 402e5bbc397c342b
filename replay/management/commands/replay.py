"""`manage.py replay estimate | create | start | list | show | pause | resume | cancel | retry |
rate`, and `rebuild` and its like for generations: what the API does, from a terminal."""

import json
import math
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access.errors import NotRegistered
from access.lookups import get_project
from ingest.time_arguments import moment_ms
from replay import orders, previews, rebuilds, services
from replay.domain import DEFAULT_MAX_EPS, Rate, Source, Span, State
from replay.errors import ReplayError
from replay.generation_lines import GenerationLines, add_actions
from replay.journal import Actor, command_actor
from replay.models import Replay
from replay.progress_lines import bar, watch
from replay.reports import Report, report, reports
from replay.serializers import LogEntrySerializer, preview_as_json, replay_as_json
from timeseries.errors import SeriesError
from warehouse.backends import get_event_store
from warehouse.errors import StoreBackpressure

EXIT_BAD = 1
INTERRUPTED = 130
LIST_LIMIT = 50
ENDED_BADLY = frozenset({State.FAILED, State.COMPLETED_WITH_ERRORS})
MOVES: Mapping[str, Callable[[str, Actor], Replay]] = {
    "start": services.start,
    "pause": services.pause,
    "resume": services.resume,
    "cancel": services.cancel,
    "retry": services.retry,
}
_SHOWN_HOURS = 48


class Command(BaseCommand):
    """See `help`."""

    help = "Re-emit stored events of a range into the view, at low priority."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subcommand for each thing to do."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        estimate = actions.add_parser("estimate", help="count what a replay would emit")
        create = actions.add_parser("create", help="ask for a replay")
        for wanted in (estimate, create):
            _add_order(wanted)
        create.add_argument("--reason", required=True, help="why; kept in its log")
        create.add_argument("--start", action="store_true", help="start it, too")
        for name in MOVES:
            move = actions.add_parser(name, help=f"{name} a replay")
            if name == "pause":
                move.add_argument("--all", action="store_true", help="every one that runs")
            move.add_argument("replay", nargs="?" if name == "pause" else None, metavar="ID")
            _add_watch(move)
        rate = actions.add_parser("rate", help="change a replay's rate, also while it runs")
        rate.add_argument("replay", metavar="ID")
        _add_rate(rate)
        show = actions.add_parser("show", help="one replay, with its log")
        show.add_argument("replay", metavar="ID")
        shown = actions.add_parser("list", help="the newest replays")
        shown.add_argument("--project", metavar="P")
        _add_watch(create)
        _add_watch(show)
        add_actions(actions, _add_rate)
        for action in actions.choices.values():
            action.add_argument("--json", action="store_true", help="as the API answers")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError with one sentence; SystemExit 1 for a replay that ended badly."""
        self._as_json: bool = options["json"] or not self.stdout.isatty()
        self._actor = command_actor()
        doing = {
            "estimate": self._estimate,
            "create": self._create,
            "rate": self._change_rate,
            "show": self._show,
            "list": self._list,
            "rebuild": self._rebuild,
        }
        lines = GenerationLines(self.stdout, self._actor, as_json=self._as_json, tell=self._tell)
        doing |= lines.actions
        try:
            doing.get(options["action"], self._move)(options)
        except (ReplayError, NotRegistered, StoreBackpressure, SeriesError) as exc:
            raise CommandError(str(exc)) from exc
        except KeyboardInterrupt:  # who only watches ends nothing
            raise SystemExit(INTERRUPTED) from None

    def _estimate(self, options: dict[str, Any]) -> None:
        order = _order(options, reason="")
        found = previews.preview(order, get_event_store(), limit_s=math.inf)
        if self._as_json:
            self.stdout.write(json.dumps(preview_as_json(found)))
            return
        self.stdout.write(found.effect)
        said = preview_as_json(found)
        for name in ("estimated", "bytes", "first", "last", "duration_s"):
            self.stdout.write(f"{name:<12}{said[name]}")
        for hour in found.estimate.hours[:_SHOWN_HOURS]:
            self.stdout.write(f"{_hour_text(hour.hour_ms)}  {hour.count:>10}  {hour.event}")
        if len(found.estimate.hours) > _SHOWN_HOURS:
            self.stdout.write(f"… {len(found.estimate.hours) - _SHOWN_HOURS} lines more: --json")
        for other in found.overlaps:
            self.stdout.write(f"overlaps with replay {other}, which does no harm")

    def _create(self, options: dict[str, Any]) -> None:
        order = _order(options, reason=options["reason"])
        row = orders.create(order, self._actor, get_event_store())
        if options["start"] and State(row.state) is not State.COMPLETED:
            row = services.start(row.id, self._actor)
        self._tell(row, options)

    def _rebuild(self, options: dict[str, Any]) -> None:
        row = rebuilds.begin(options["reason"], _rate(options), self._actor)
        self._tell(row, options)

    def _move(self, options: dict[str, Any]) -> None:
        if options.get("all"):
            for row in services.pause_all(self._actor):
                self._write(_now(row))
            return
        if options["replay"] is None:
            raise CommandError("give the ID of a replay, or --all")
        self._tell(MOVES[options["action"]](options["replay"], self._actor), options)

    def _change_rate(self, options: dict[str, Any]) -> None:
        row = services.change_rate(options["replay"], _rate(options), self._actor)
        self._write(_now(row))

    def _show(self, options: dict[str, Any]) -> None:
        row = services.get(options["replay"])
        if options["watch"]:
            self._tell(row, options)
            return
        log = [dict(LogEntrySerializer(entry).data) for entry in services.log_of(row.id)]
        if self._as_json:
            self.stdout.write(json.dumps(replay_as_json(_now(row)) | {"log": log}))
            return
        self._write(_now(row))
        for entry in log:
            self.stdout.write("  ".join(str(entry[name]) for name in ("at", "actor", "action")))

    def _list(self, options: dict[str, Any]) -> None:
        name = options["project"]
        project = None if name is None else get_project(name).name
        rows = services.newest(project=project, limit=LIST_LIMIT)
        for found in reports(rows, now_ms=services.CLOCK.now_ms()):
            self._write(found)

    def _tell(self, row: Replay, options: dict[str, Any]) -> None:
        """The replay, or its way to the end."""
        if not options["watch"]:
            self._write(_now(row))
            return
        found = watch(lambda: _now(services.get(row.id)), self._stream())
        if State(found.row.state) in ENDED_BADLY:
            sys.exit(EXIT_BAD)

    def _stream(self) -> Any:  # Any: OutputWrapper hands on whatever the real stream has
        return self.stdout._out

    def _write(self, found: Report) -> None:
        if self._as_json:
            self.stdout.write(json.dumps(replay_as_json(found)))
        else:
            what = found.row.project or f"generation {found.row.generation}"
            self.stdout.write(f"{found.row.id}  {what}  {bar(found)}")


def _now(row: Replay) -> Report:
    return report(row, now_ms=services.CLOCK.now_ms())


def _add_order(parser: ArgumentParser) -> None:
    parser.add_argument("--project", required=True, metavar="P")
    parser.add_argument(
        "--from",
        dest="from_ms",
        type=moment_ms,
        required=True,
        metavar="T",
        help="occurred at or after this: a date or RFC 3339, UTC",
    )
    parser.add_argument(
        "--to", dest="to_ms", type=moment_ms, required=True, metavar="T", help="before this"
    )
    parser.add_argument(
        "--event", dest="events", action="append", default=[], metavar="NAME", help="repeatable"
    )
    _add_rate(parser)


def _add_rate(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--max-eps",
        type=_max_eps,
        default=DEFAULT_MAX_EPS,
        metavar="N",
        help=f"events a second at most, 0 for no limit (default {DEFAULT_MAX_EPS})",
    )
    parser.add_argument(
        "--no-auto", dest="auto", action="store_false", help="not slower while live events wait"
    )


def _add_watch(parser: ArgumentParser) -> None:
    parser.add_argument("--watch", action="store_true", help="show its progress to the end")


def _order(options: dict[str, Any], *, reason: str) -> orders.Order:
    project = get_project(options["project"]).name
    span = Span(options["from_ms"], options["to_ms"])
    source = Source(project, (span,), tuple(dict.fromkeys(options["events"])))
    return orders.Order(source, _rate(options), reason)


def _rate(options: dict[str, Any]) -> Rate:
    return Rate(options["max_eps"] or None, options["auto"])


def _max_eps(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise ArgumentTypeError(f"{text!r} is not a whole number of events a second")
    return int(text)


def _hour_text(hour_ms: int) -> str:
    return f"{datetime.fromtimestamp(hour_ms / 1000, UTC):%Y-%m-%d %H:00}"

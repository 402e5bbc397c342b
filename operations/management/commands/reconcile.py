"""`reconcile --project P [--from T] [--to T] [--wait SECONDS] [--keys N] [--json] [--repair]`."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from access.errors import NotRegistered
from access.lookups import get_project
from feed.clock import Clock
from feed.errors import FeedError
from feed.event import LAST_KEY_MS, key_text
from feed.topics import Group
from ingest.time_arguments import whole_seconds
from ingest.timestamps import format_time
from operations.range_arguments import add_range
from operations.reconcile.gap import Gap
from operations.reconcile.opening import open_reconciliation
from operations.reconcile.repair import Repair, order_for, repair
from operations.reconcile.serializers import HourSerializer, SummarySerializer
from replay.domain import Span
from replay.journal import command_actor
from replay.verification.outcome import Hour, Verdict
from replay.verification.reconciliation import Reconciliation
from timeseries.errors import SeriesError
from warehouse.errors import StoreError

DEFAULT_WAIT_S = 60.0
DEFAULT_KEYS = 20
EXITS = {Verdict.SAME: 0, Verdict.DIFFERENT: 1, Verdict.LAGGING: 2}
UNKNOWN = EXITS[Verdict.LAGGING]
INTERRUPTED = 130
HEAD = (
    f"{'hour':24}{'warehouse':>12}{'view':>12}{'missing':>10}{'changed':>10}{'extra':>10}"
    f"{'refused':>10}{'on the way':>12}  state"
)
EXTRA = (
    "{} extra: of events that the warehouse does not have, which no replay takes away. Build the "
    "view anew with manage.py replay rebuild --reason WHY --watch, then serve it with manage.py "
    "replay swap N"
)


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Compare warehouse and view by hour, and down to keys where they differ. What is merely on "
        "its way is waited for and is no difference. Exits 0 when they hold the same, 1 when they "
        "differ, 2 when that cannot be told."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose events, of when, how long to wait, how much to tell."""
        add_range(parser)
        parser.add_argument(
            "--wait",
            dest="wait_s",
            type=whole_seconds,
            default=DEFAULT_WAIT_S,
            metavar="SECONDS",
            help="at most so long at a time for sink and projector (default 60)",
        )
        parser.add_argument(
            "--keys",
            type=_count,
            default=DEFAULT_KEYS,
            metavar="N",
            help="told of an hour at most (default 20)",
        )
        parser.add_argument(
            "--json", action="store_true", help="a line an hour, then one for all together"
        )
        parser.add_argument(
            "--repair", action="store_true", help="replay what is missing or changed, and no more"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError with one sentence; SystemExit 1 and 2 as `help` says."""
        gap = Gap()
        try:
            reconciliation = open_reconciliation(
                _project(options["project"]),
                _span(options),
                wait_s=options["wait_s"],
                most_kept=options["keys"],
                tell=self._tell_left,
                found=gap.add,
            )
            self._show_hours(reconciliation, as_json=options["json"])
            repaired = _repaired(reconciliation, gap) if options["repair"] else None
            self._show_all(reconciliation, gap, repaired, as_json=options["json"])
        except KeyboardInterrupt:
            self.stderr.write("interrupted: later hours were not compared")
            raise SystemExit(INTERRUPTED) from None
        except (FeedError, StoreError, SeriesError, DatabaseError) as exc:
            raise CommandError(f"{exc} (not compared to the end)", returncode=UNKNOWN) from exc
        if code := EXITS[reconciliation.summary.state]:
            sys.exit(code)

    def _show_hours(self, reconciliation: Reconciliation, *, as_json: bool) -> None:
        if not as_json:
            self.stdout.write(HEAD)
        for hour in reconciliation.hours():
            if as_json:
                self.stdout.write(json.dumps(HourSerializer(hour).data))
            else:
                for line in _lines(hour):
                    self.stdout.write(line)
            self.stdout.flush()

    def _show_all(
        self,
        reconciliation: Reconciliation,
        gap: Gap,
        repaired: Repair | None,
        *,
        as_json: bool,
    ) -> None:
        if as_json:
            said = dict(SummarySerializer(reconciliation).data)
            if repaired is not None:
                said["replay"] = None if repaired.replay is None else repaired.replay.id
            self.stdout.write(json.dumps(said))
            return
        for line in _conclusion(reconciliation):
            self.stdout.write(line)
        for line in _advice(gap) if repaired is None else _repair_lines(repaired):
            self.stdout.write(line)
        if extra := reconciliation.summary.counts.extra:
            self.stdout.write(EXTRA.format(extra))

    def _tell_left(self, group: Group, left: int) -> None:
        self.stderr.write(f"waiting for {group.value}: {left} records to go", style_func=str)


def _lines(hour: Hour) -> Iterator[str]:
    counts = hour.counts
    yield (
        f"{format_time(hour.hour_ms):24}{counts.warehouse:>12}{counts.view:>12}{counts.missing:>10}"
        f"{counts.changed:>10}{counts.extra:>10}{counts.refused:>10}{counts.on_the_way:>12}"
        f"  {hour.state.value}"
    )
    for difference in hour.differences:
        held = difference.warehouse or difference.view
        event = held.event if held else ""
        yield f"  {difference.kind.value:8}{key_text(difference.key)}  {event}"
    more = counts.missing + counts.changed + counts.extra - len(hour.differences)
    if more:
        yield f"  and {more} more"


def _repaired(reconciliation: Reconciliation, gap: Gap) -> Repair:
    sides = reconciliation.sides
    actor = command_actor()
    order = order_for(sides.project, reconciliation.span)
    return repair(order, gap.spans, actor, sides.events, clock=Clock())


def _conclusion(reconciliation: Reconciliation) -> Iterator[str]:
    sides, summary = reconciliation.sides, reconciliation.summary
    counts = summary.counts
    yield (
        f"{sides.project}, generation {sides.generation}: {summary.state.value}. "
        f"{summary.hour_count} hours, {counts.warehouse} events in the warehouse, {counts.view} in "
        f"the view; {counts.missing} missing, {counts.changed} changed, {counts.extra} extra"
    )
    if counts.refused:
        yield f"refused by the view: {counts.refused}, see Dead letters; no replay brings them in"
    if reconciliation.lag is not None:
        yield f"lagging: {reconciliation.lag}"


def _advice(gap: Gap) -> Iterator[str]:
    if gap.spans:
        first, last = gap.spans[0], gap.spans[-1]
        yield (
            f"a replay in place from {format_time(first.from_ms)} to {format_time(last.to_ms)} "
            "brings back what is missing or changed: run this again with --repair"
        )


def _repair_lines(repaired: Repair) -> Iterator[str]:
    if repaired.replay is not None:
        replay = repaired.replay.id
        yield (
            f"replay {replay} brings back what is missing or changed: "
            f"manage.py replay show {replay} --watch"
        )
    elif not repaired.later_count:
        yield "nothing to replay"
    if repaired.later_count:
        yield (
            f"{repaired.later_count} spans of time lie ahead and cannot be replayed yet: "
            "run this again later"
        )


def _project(name: str) -> str:
    """Raises CommandError."""
    try:
        return get_project(name).name
    except NotRegistered as exc:
        raise CommandError(str(exc), returncode=UNKNOWN) from exc


def _span(options: dict[str, Any]) -> Span:
    """Raises CommandError."""
    if options["start_ms"] >= options["end_ms"]:
        message = "--from must be before --to: the end is not compared"
        raise CommandError(message, returncode=UNKNOWN)
    return Span(options["start_ms"], min(options["end_ms"], LAST_KEY_MS))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise ArgumentTypeError(f"{text!r} is not a whole number up to 999999")
    return int(text)

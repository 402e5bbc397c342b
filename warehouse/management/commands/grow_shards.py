"""`grow_shards --project P [--shards N] [--dry-run]`."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from warehouse.backends import get_event_store
from warehouse.errors import StoreError
from warehouse.shard_steps import StepTaken, add_step, measure, needed_shards, read_plan
from warehouse.shards import MAX_SHARDS


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Split the hours of a project, from 48 hours ahead on, into as many partitions as its "
        "measured rate needs. Only for a warehouse on Cassandra; run it now and then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose hours, and into how many shards if not by measurement."""
        parser.add_argument("--project", required=True, metavar="P")
        parser.add_argument(
            "--shards",
            type=_shards,
            metavar="N",
            help="so many, instead of what the last two days' events ask for",
        )
        parser.add_argument("--dry-run", action="store_true", help="say it, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError with one sentence."""
        try:
            self._grow(options["project"], options["shards"], is_dry=options["dry_run"])
        except (StoreError, StepTaken, ImportError, ValueError) as exc:
            raise CommandError(str(exc)) from exc

    def _grow(self, project: str, asked: int | None, *, is_dry: bool) -> None:
        store = get_event_store()
        plan = read_plan(project)
        held = plan.counts[-1] if plan.counts else 1
        wanted = asked or self._measured(project)
        if wanted <= held:
            self.stdout.write(f"{project} has {held} shards an hour, which is enough.")
        elif is_dry:
            self.stdout.write(f"{project} has {held} shards an hour and needs {wanted}.")
        else:
            start_ms = add_step(store, project, wanted)
            start = datetime.fromtimestamp(start_ms / 1000, tz=UTC).isoformat()
            self.stdout.write(f"{project} has {wanted} shards an hour from {start} on.")

    def _measured(self, project: str) -> int:
        rate = measure(get_event_store(), project)
        self.stdout.write(
            f"busiest hour of two days: {rate.events_an_hour} events of {rate.bytes_an_event} bytes"
        )
        return needed_shards(rate)


def _shards(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_SHARDS):
        raise ArgumentTypeError(f"{text!r} is not a number of shards: it takes 1 to {MAX_SHARDS}")
    return int(text)

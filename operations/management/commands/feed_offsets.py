"""Moves a consumer group's positions by hand: the operator's decision after data loss."""

import re
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from feed.backends import get_feed
from feed.errors import FeedError
from feed.ports import Feed, TopicPartition
from feed.topics import Group
from operations.samples import READERS

_EPOCH_MS = re.compile(r"[0-9]{10,15}")


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Move a group's positions to the start or the end of its topic, or to a time of arrival. "
        "Going back means that records are handled again, which changes no figure; going forward "
        "skips them. Refused while the group has active members."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        groups = [group.value for group in Group]
        parser.add_argument("--group", required=True, choices=groups)
        parser.add_argument(
            "--to",
            required=True,
            metavar="earliest|latest|TIME",
            help="a time is RFC 3339 with an offset, or milliseconds since 1970",
        )
        parser.add_argument("--dry-run", action="store_true", help="show, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show every move, then make them all."""
        group = Group(options["group"])
        feed = get_feed()
        try:
            targets = _targets(feed, group, options["to"])
            self._show(feed, group, targets)
            if options["dry_run"]:
                _refuse_active(feed, group)
                self.stdout.write("Nothing was changed: --dry-run.")
                return
            feed.set_committed(group, targets)
        except FeedError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"{group.value} goes on from there.")

    def _show(self, feed: Feed, group: Group, targets: Mapping[TopicPartition, int]) -> None:
        for where, position in sorted(targets.items()):
            held = feed.committed(group, where.topic).get(where.partition)
            now = "no position" if held is None else str(held.position)
            self.stdout.write(f"{where.topic}[{where.partition}]: {now} -> {position}")


def _targets(feed: Feed, group: Group, to: str) -> dict[TopicPartition, int]:
    (topic,) = [read for reader, read in READERS if reader is group]
    bounds = feed.bounds(topic)
    where = {number: TopicPartition(topic.value, number) for number in bounds}
    if to == "earliest":
        return {where[number]: bound.start for number, bound in bounds.items()}
    if to == "latest":
        return {where[number]: bound.end for number, bound in bounds.items()}
    time_ms = _time_ms(to)
    return {place: feed.position_at(place, time_ms) for place in where.values()}


def _time_ms(text: str) -> int:
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise CommandError(
            f"--to is {text!r}: it takes earliest, latest, or a time such as 2026-11-01T12:00:00Z"
        )
    return round(at.astimezone(UTC).timestamp() * 1000)


def _refuse_active(feed: Feed, group: Group) -> None:
    """What the move itself would meet."""
    members = feed.members(group)
    if members:
        raise CommandError(
            f"group {group.value} has {len(members)} active members: stop them before its "
            "positions are set by hand"
        )

"""A believable moving shop: some days of its past, and if asked its present, as it happens."""

import signal
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from itertools import islice
from types import FrameType
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError

from access.errors import NotRegistered
from access.lookups import get_project
from feed.backends import get_feed
from feed.event import ProjectId
from feed.ports import Feed
from ingest.services import Outcome, Submission, accept
from operations.shop import Row, as_line, events_between

DAY_MS = 86_400_000
BATCH_ROWS = 500
LOGGED_LIMIT_S = 30.0
LIVE_EVERY_S = 0.5
"""How often the live stream sends what has happened since."""


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Send visits, carts and orders of a demonstration shop into a project, through the same "
        "admission as the API. The same seed gives the same events: sent again, nothing changes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--project", default="demo", help="an existing project")
        parser.add_argument("--days", type=float, default=7.0, help="days of the past (default 7)")
        parser.add_argument("--seed", type=int, default=1, help="another seed, another shop")
        parser.add_argument("--live", action="store_true", help="then go on as time passes")
        parser.add_argument(
            "--for", dest="for_s", type=float, metavar="SECONDS", help="stop after this long"
        )
        parser.add_argument("--quiet", action="store_true", help="no progress lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send until done, interrupted, or out of time."""
        if not 0 <= options["days"] <= 3650:
            raise CommandError("--days takes 0 to 3650")
        try:
            project = ProjectId(get_project(options["project"]).name)
        except NotRegistered as exc:
            raise CommandError(str(exc)) from exc
        self._stopping = _stop_signals()
        self._deadline = _deadline(options["for_s"])
        self._quiet: bool = options["quiet"]
        self._sent = 0
        feed = get_feed()
        seed, started_ms = options["seed"], _now_ms()
        past = events_between(seed, started_ms - round(options["days"] * DAY_MS), started_ms)
        self._send_all(feed, project, past)
        if options["live"]:
            self._live(feed, project, seed, started_ms)
        self._progress(end="\n")

    def _live(self, feed: Feed, project: ProjectId, seed: int, from_ms: int) -> None:
        while not self._is_over():
            self._stopping.wait(LIVE_EVERY_S)
            to_ms = _now_ms()
            rows = events_between(seed, from_ms, to_ms, campaign=True)
            self._send_all(feed, project, rows)
            from_ms = to_ms

    def _send_all(self, feed: Feed, project: ProjectId, rows: Iterator[Row]) -> None:
        while not self._is_over() and (batch := list(islice(rows, BATCH_ROWS))):
            self._send(feed, project, [as_line(row) for row in batch])

    def _send(self, feed: Feed, project: ProjectId, lines: Sequence[bytes]) -> None:
        """Send one batch until the feed has it; its keys make every further try harmless."""
        submission = Submission(lines, project, uuid4().hex, "seed_demo")
        while not self._stopping.is_set():
            outcome = _outcome(submission, feed)
            if outcome.counts.rejected:
                raise CommandError("the shop's own events were rejected: look at Dead letters")
            if not outcome.counts.retry:
                self._sent += outcome.counts.ok + outcome.counts.warning
                self._progress(end="\r")
                return
            self._stopping.wait(outcome.retry_after_s or 1.0)

    def _is_over(self) -> bool:
        return self._stopping.is_set() or time.monotonic() >= self._deadline

    def _progress(self, *, end: str) -> None:
        if self._quiet or (end == "\r" and not sys.stderr.isatty()):
            return
        self.stderr.write(f"{self._sent:,} events sent", ending=end)


def _outcome(submission: Submission, feed: Feed) -> Outcome:
    accepted = accept(submission, feed, now_ms=_now_ms())
    settled = threading.Event()
    accepted.add_done_callback(settled.set)
    settled.wait(LOGGED_LIMIT_S)
    return accepted.outcome()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _deadline(for_s: float | None) -> float:
    if for_s is None:
        return float("inf")
    if for_s <= 0:
        raise CommandError("--for takes seconds above 0")
    return time.monotonic() + for_s


def _stop_signals() -> threading.Event:
    """Set by SIGINT and SIGTERM: the batch in hand is settled, then the command ends with 0."""
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
    return stopping

"""What every worker command shares: options, signals, the supervisor, metrics."""

import argparse
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections
from prometheus_client import REGISTRY, start_http_server

from feed.backends import FEED
from feed.consumer import Lane
from feed.garbage import spare_long_lived_objects
from feed.lag_metrics import LagCollector
from feed.leftovers import refuse_unread_leftovers
from feed.loop import ConsumeLoop
from feed.ports import Feed
from feed.stop_signals import StopSignals
from feed.supervisor import Supervisor
from feed.topics import Group, Topic
from feed.upkeep import trimming

METRICS_HOST = "127.0.0.1"
MAX_PORT = 65_535
FLUSH_S = 2.0
"""How long the end waits for what was published to be in the log: well within the drain's 9 s."""


T = TypeVar("T")


class Working(NamedTuple):
    """One attempt at the work: when to stop, whether to drain and end, whom to tell of progress.
    `begin` says in a sentence what is worked on and watches the lag of groups and topics."""

    stop: threading.Event
    once: bool
    note_progress: Callable[[], None]
    begin: Callable[[Sequence[tuple[Group, Topic]], str], None]


class WorkerCommand(BaseCommand):
    """A process that consumes topics until it is told to stop, or drains them once; one whose work
    is another overrides `work`.

    Exit code 0 after SIGTERM, SIGINT or a drain; 1 when an operator must look, having said why.
    """

    def lanes(self, feed: Feed) -> Sequence[Lane]:
        """What to read and who handles it, live first; asked for again at every new start of the
        loop."""
        raise NotImplementedError(f"{type(self).__name__} names no lanes")

    def prepare(self) -> None:
        """Before the first record; again until it succeeds. Raises Backpressure while an engine is
        away, which is waited for, and CommandError to refuse the start."""

    def add_arguments(self, parser: CommandParser) -> None:
        """`--once` and `--metrics-port`."""
        parser.add_argument(
            "--once", action="store_true", help="drain what is in the topics now, then exit 0"
        )
        parser.add_argument(
            "--metrics-port",
            type=_port,
            metavar="PORT",
            help=f"serve metrics at http://{METRICS_HOST}:PORT/metrics; 0 takes any free port",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run to the end. Raises SystemExit with a code other than 0 when an operator must
        look."""
        refuse_unread_leftovers()
        self._is_prepared = False
        spare_long_lived_objects()
        self._lag = LagCollector()
        once: bool = options["once"]
        port: int | None = options["metrics_port"]
        with StopSignals() as signals, self._metrics(port):
            supervisor = Supervisor(
                self._name(),
                lambda: self._attempt(supervisor, signals, once=once),
                stop=signals.requested,
                waits=not once,
                between=close_old_connections,
            )
            exit_code = supervisor.run()
        if exit_code:
            raise SystemExit(exit_code)

    def work(self, feed: Feed, working: Working) -> None:
        """Work until told to stop, or to the end of what is there. Raises what the supervisor
        knows how to take."""
        lanes = configured(lambda: self.lanes(feed))
        what = "draining" if working.once else "reading"
        working.begin([(lane.group, lane.topic) for lane in lanes], f"{what} {_reads(lanes)}")
        loop = ConsumeLoop(
            feed, lanes, stop=working.stop, once=working.once, on_commit=working.note_progress
        )
        loop.run()

    def _attempt(self, supervisor: Supervisor, signals: StopSignals, *, once: bool) -> None:
        if not self._is_prepared:
            self.prepare()
            self._is_prepared = True
        feed = FEED.open_own()

        def begin(watched: Sequence[tuple[Group, Topic]], sentence: str) -> None:
            supervisor.note_reachable()
            self._lag.watch(feed, [(group.value, topic.value) for group, topic in watched])
            self._say(sentence if once else f"{sentence}; SIGTERM or Ctrl-C drains and stops")

        try:
            with trimming(feed):
                self.work(feed, Working(signals.requested, once, supervisor.note_progress, begin))
            feed.flush(timeout_s=FLUSH_S)
        finally:
            self._lag.forget()
            feed.close()

    @contextmanager
    def _metrics(self, port: int | None) -> Iterator[None]:
        """Serve metrics while inside, if a port was given."""
        if port is None:
            yield
            return
        try:
            server, thread = start_http_server(port, addr=METRICS_HOST)
        except OSError as exc:
            raise CommandError(
                f"--metrics-port {port} cannot be used ({exc.strerror}): choose another"
            ) from exc
        REGISTRY.register(self._lag)
        self._say(f"metrics at http://{METRICS_HOST}:{server.server_port}/metrics")
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
            REGISTRY.unregister(self._lag)

    def _say(self, sentence: str) -> None:
        self.stderr.write(f"{self._name()}: {sentence}", style_func=str)

    def _name(self) -> str:
        return type(self).__module__.rpartition(".")[2]


def configured(opened: Callable[[], T]) -> T:
    """What `opened` gives. Opening connects to nothing: what fails in it is the configuration.
    Raises ImproperlyConfigured."""
    try:
        return opened()
    except (ImportError, ValueError) as exc:
        raise ImproperlyConfigured(str(exc)) from exc


def _reads(lanes: Sequence[Lane]) -> str:
    return " and ".join(f"topic {lane.topic} as group {lane.group}" for lane in lanes)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: it takes 0 to {MAX_PORT}")
    return int(text)

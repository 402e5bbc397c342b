"""The whole pipeline on this machine from one command."""

import math
import os
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from feed.leftovers import refuse_unread_leftovers
from operations.dev.banner import banner
from operations.dev.first_run import ADMIN, PROJECT, ensure_admin, ensure_demo, ensure_values
from operations.dev.processes import Part, Parts
from operations.dev.readiness import is_drained, workers_read
from operations.preflight import WrongStart, check_engines, check_secret_key
from operations.sockets import PortTaken, bind

HOST = "127.0.0.1"
READY_LIMIT_S = 45.0
TEND_EVERY_S = 0.2
HISTORY_DAYS = 7
HISTORY_LIMIT_S = 25.0  # a slow machine goes on while its history is still on the way
SEED_DEMO = ("seed_demo", "--project", PROJECT, "--quiet")


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Run the whole pipeline here: web, sink, projector and replayer as child processes, with "
        "an admin user, a project demo and a gentle stream of demo events."
    )
    requires_system_checks: list[str] = []  # the development values may not be there yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--no-demo-traffic",
            action="store_true",
            help="send no demo events into the project demo",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, start every part, print where to look, and keep them running until a signal."""
        port: int = options["port"]
        _refuse_taken(port)
        if ensure_values(settings.DATA_DIR / "dev.json"):
            _start_anew()
        try:
            check_secret_key()
            check_engines()
        except WrongStart as exc:
            raise CommandError(str(exc)) from exc
        refuse_unread_leftovers()
        call_command("migrate", verbosity=0)
        call_command("ensure_engines", stdout=self.stdout)
        keys_dir = settings.DATA_DIR / "keys"
        password = ensure_admin(keys_dir)
        demo = ensure_demo(keys_dir)
        connections.close_all()
        said = banner(url=f"http://{HOST}:{port}", user=ADMIN, password=password, token=demo.token)
        parts = Parts(dict(os.environ), self._say)
        stopping = _stop_signals()
        try:
            wants_demo = not options["no_demo_traffic"]
            self._start(parts, port, stopping, wants_demo=wants_demo, is_new=demo.is_new)
            if not stopping.is_set():
                self.stdout.write(said)
                self.stdout.flush()
            _tend_until(parts, stopping, lambda: False, limit_s=math.inf)
        finally:
            self._say("stopping every part")
            parts.stop()
            self._say("stopped")

    def _start(
        self,
        parts: Parts,
        port: int,
        stopping: threading.Event,
        *,
        wants_demo: bool,
        is_new: bool,
    ) -> None:
        """The workers, on the first run the demonstration's past, then the web process: so that
        its charts begin with the present, not with a week in ten seconds."""
        parts.start(
            Part("sink", ["run_warehouse_sink"]),
            Part("projector", ["run_projector"]),
            Part("replayer", ["run_replayer"]),
        )
        if wants_demo and is_new:
            self._say(f"sending {HISTORY_DAYS} days of a demonstration shop")
            past = Part("demo history", [*SEED_DEMO, "--days", str(HISTORY_DAYS)], may_end=True)
            parts.start(past)
            _tend_until(
                parts,
                stopping,
                lambda: not past.is_running() and is_drained(),
                limit_s=HISTORY_LIMIT_S,
            )
        if stopping.is_set():
            return
        web = Part("web", ["serve", "--host", HOST, "--port", str(port)])
        parts.start(web)
        if wants_demo:
            parts.start(Part("demo traffic", [*SEED_DEMO, "--days", "0", "--live"], may_end=True))
        # At the limit the lines are printed all the same: a part that does not come up says why.
        _tend_until(
            parts,
            stopping,
            lambda: _is_answering(port) and workers_read(),
            limit_s=READY_LIMIT_S,
        )

    def _say(self, sentence: str) -> None:
        self.stderr.write(f"dev: {sentence}")


def _refuse_taken(port: int) -> None:
    try:
        bind(HOST, port).close()
    except PortTaken as exc:
        raise CommandError(f"{exc}: make dev PORT=8001, or manage.py dev --port 8001") from exc
    except (OSError, OverflowError) as exc:
        raise CommandError(f"cannot listen at {HOST} port {port}: {exc}") from exc


def _start_anew() -> None:
    """Settings are read once, at start: run this command again, with the values just made."""
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - our own command line, unchanged


def _stop_signals() -> threading.Event:
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return stopping


def _tend_until(
    parts: Parts, stopping: threading.Event, is_done: Callable[[], bool], *, limit_s: float
) -> None:
    deadline = time.monotonic() + limit_s
    while not stopping.wait(TEND_EVERY_S) and time.monotonic() < deadline:
        parts.tend()
        if is_done():
            return


def _is_answering(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

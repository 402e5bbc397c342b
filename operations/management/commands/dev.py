"""The whole pipeline on this machine from one command."""

import os
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from http.client import HTTPConnection, HTTPException
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from feed.backends import FEED, get_feed
from feed.errors import FeedError
from feed.leftovers import refuse_unread_leftovers
from feed.topics import Group
from operations.dev.banner import banner
from operations.dev.first_run import ADMIN, PROJECT, ensure_admin, ensure_demo, ensure_values
from operations.dev.processes import Part, Parts
from operations.sockets import PortTaken, bind

HOST = "127.0.0.1"
READY_LIMIT_S = 45.0
TEND_EVERY_S = 0.2
HISTORY_DAYS = 7


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Run the whole pipeline here: web, sink and projector as child processes, with an admin "
        "user, a project demo and a gentle stream of demo events."
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
        if not settings.SECRET_KEY:
            raise CommandError(f"{settings.DATA_DIR / 'dev.json'} has no WEIR_SECRET_KEY")
        refuse_unread_leftovers()
        call_command("migrate", verbosity=0)
        call_command("ensure_engines", stdout=self.stdout)
        keys_dir = settings.DATA_DIR / "keys"
        password = ensure_admin(keys_dir)
        demo = ensure_demo(keys_dir)
        connections.close_all()
        parts = Parts(_parts(port, options, is_new=demo.is_new), dict(os.environ), self._say)
        said = banner(url=f"http://{HOST}:{port}", user=ADMIN, password=password, token=demo.token)
        self._run(parts, port, said)

    def _run(self, parts: Parts, port: int, said: str) -> None:
        stopping = threading.Event()

        def stop(signum: int, frame: FrameType | None) -> None:
            stopping.set()

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGHUP, stop)
        parts.start()
        try:
            _tend_until_ready(parts, port, stopping)
            if not stopping.is_set():
                self.stdout.write(said)
                self.stdout.flush()
            while not stopping.wait(TEND_EVERY_S):
                parts.tend()
        finally:
            self._say("stopping every part")
            parts.stop()
            self._say("stopped")

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


def _parts(port: int, options: dict[str, Any], *, is_new: bool) -> list[Part]:
    parts = [
        Part("web", ["serve", "--host", HOST, "--port", str(port)]),
        Part("sink", ["run_warehouse_sink"]),
        Part("projector", ["run_projector"]),
    ]
    if not options["no_demo_traffic"]:
        days = HISTORY_DAYS if is_new else 0
        demo = ["seed_demo", "--project", PROJECT, "--days", str(days), "--live", "--quiet"]
        parts.append(Part("demo traffic", demo, may_end=True))
    return parts


def _tend_until_ready(parts: Parts, port: int, stopping: threading.Event) -> None:
    """Until the web process answers and both workers read, or the limit: then the lines are printed
    all the same, and a part that does not come up has said why."""
    deadline = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline and not stopping.wait(TEND_EVERY_S):
        parts.tend()
        if _is_answering(port) and _workers_read():
            break
    get_feed().close()
    FEED.forget()


def _is_answering(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _workers_read() -> bool:
    try:
        return all(get_feed().members(group) for group in (Group.SINK, Group.PROJECTOR))
    except FeedError:
        return False

"""The web process as production runs it: uvicorn around the ASGI application."""

import signal
import socket
import sys
from argparse import ArgumentParser
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from uvicorn.supervisors import Multiprocess

from feed.leftovers import refuse_unread_leftovers
from operations.corked import CorkedProtocol
from operations.preflight import WrongStart, check_engines, check_secret_key
from operations.sockets import PortTaken, bind

KEEP_ALIVE_S = 75  # longer than the 60 s that proxies keep idle connections
GRACE_S = 8  # open requests get this long at SIGTERM; the parts behind them the rest of 10 s
BACKLOG = 2048


class Command(BaseCommand):
    """See `help`."""

    help = "Serve the parts that WEIR_SERVE names, until SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--workers", type=int, default=1, help="processes that share the port (default 1)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until a signal; open requests finish first."""
        if options["workers"] < 1:
            raise CommandError("--workers counts from 1")
        _check_settings()
        refuse_unread_leftovers()
        listening = _bind(options["host"], options["port"])
        config = _config(options["host"], listening.getsockname()[1], options["workers"])
        signal.signal(signal.SIGTERM, _exit_cleanly)
        signal.signal(signal.SIGINT, _exit_cleanly)
        _run(config, listening)


def _check_settings() -> None:
    try:
        check_secret_key()
        check_engines()
    except WrongStart as exc:
        raise CommandError(str(exc)) from exc


def _bind(host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except PortTaken as exc:
        raise CommandError(str(exc)) from exc
    except (OSError, OverflowError) as exc:
        raise CommandError(f"cannot listen at {host} port {port}: {exc}") from exc


def _config(host: str, port: int, workers: int) -> uvicorn.Config:
    module, _, attribute = settings.ASGI_APPLICATION.rpartition(".")
    proxies: str = settings.TRUSTED_PROXIES
    return uvicorn.Config(
        f"{module}:{attribute}",
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http=CorkedProtocol,
        lifespan="on",
        log_config=None,  # Django's logging stands
        access_log=False,  # query strings hold tokens: they are never logged
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or "",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


def _run(config: uvicorn.Config, listening: socket.socket) -> None:
    if config.workers > 1:
        Multiprocess(config, sockets=[listening]).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    if not server.started:
        raise CommandError("the web process did not start: the reason is in the lines above")


def _exit_cleanly(signum: int, frame: FrameType | None) -> None:
    # uvicorn has shut down in order and raises the signal once more: the exit code says so.
    sys.exit(0)

"""Real Kafka, Cassandra and Elasticsearch on this machine, without containers."""

import json
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from operations.engines.artifacts import Supplies
from operations.engines.errors import EnginesError, EnginesUnknown
from operations.engines.machine import ENGINES, SIZES, Machine, make_machine
from operations.engines.places import cache_folder, engines_account, state_folder

GOOD, BAD, UNKNOWN = 0, 1, 2


class Command(BaseCommand):
    """See `help`."""

    help = (
        "Run real Kafka, Cassandra and Elasticsearch on loopback as plain processes. `up` fetches "
        "them once, starts what does not run, waits until each answers, and prints on standard "
        "output the lines that make every other command use them; `down` stops them; `status` "
        "exits 0 when all run, 1 when some do not, 2 when that cannot be told."
    )
    requires_system_checks: list[str] = []  # of the product itself nothing needs to be set up

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="up|down|status")
        up = actions.add_parser("up", help="start them, or find what runs")
        up.add_argument("--nodes", type=int, choices=SIZES, default=1, help="of each engine")
        _add_only(up)
        for name, engine in ENGINES.items():
            up.add_argument(
                f"--{name}-port",
                type=_port,
                help=f"default: {engine.usual_port}, or a free one where that is taken",
            )
        down = actions.add_parser("down", help="stop them; their data stay")
        _add_only(down)
        down.add_argument("--delete-data", action="store_true", help="and delete what they hold")
        status = actions.add_parser("status", help="which run, and where")
        status.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the action says."""
        try:
            machine = self._machine()
            if options["action"] == "up":
                self._up(machine, options)
            elif options["action"] == "down":
                machine.down(options["only"], delete_data=options["delete_data"])
            else:
                self._status(machine, as_json=options["json"])
        except EnginesUnknown as exc:
            raise CommandError(str(exc), returncode=UNKNOWN) from exc
        except EnginesError as exc:
            raise CommandError(str(exc)) from exc
        except KeyboardInterrupt as exc:
            raise CommandError("interrupted: what was being started is stopped again") from exc

    def _machine(self) -> Machine:
        environment = dict(os.environ)
        account = engines_account()
        supplies = Supplies(cache_folder(environment, account), environment, account, self._say)
        return make_machine(state_folder(settings.DATA_DIR, account), supplies)

    def _up(self, machine: Machine, options: dict[str, Any]) -> None:
        names = options["only"]
        ports = {name: options[f"{name}_port"] for name in ENGINES}
        lines = machine.up(names, options["nodes"], ports)
        self._say(f"their files are below {machine.folder}")
        for line in lines:
            self.stdout.write(line)

    def _status(self, machine: Machine, *, as_json: bool) -> None:
        conditions = machine.conditions()
        if as_json:
            self.stdout.write(json.dumps([asdict(each) for each in conditions], indent=1))
        else:
            for each in conditions:
                where = f" at {each.url}" if each.url else ""
                self.stdout.write(f"{each.name}: {each.state}{where}")
        sys.exit(GOOD if all(each.state == "running" for each in conditions) else BAD)

    def _say(self, sentence: str) -> None:
        self.stderr.write(f"engines: {sentence}")
        self.stderr.flush()


def _add_only(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        type=_names,
        default=list(ENGINES),
        metavar=",".join(ENGINES),
        help="these alone, separated by commas",
    )


def _names(text: str) -> list[str]:
    named = [part.strip() for part in text.split(",") if part.strip()]
    for name in named or [text]:
        if name not in ENGINES:
            raise ArgumentTypeError(f"{name!r} is none of {', '.join(ENGINES)}")
    return [name for name in ENGINES if name in named]


def _port(text: str) -> int:
    if text.isdecimal() and 1024 <= int(text) <= 65535:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is no port from 1024 to 65535")

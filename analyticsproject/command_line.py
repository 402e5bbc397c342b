"""What manage.py does: runs a command, and says in one sentence what an operator can put right.

A command's own refusals are CommandError, which Django prints. What comes up from an engine or the
database below it is no bug either; everything else is, and keeps its traceback.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, InterfaceError

from analyticsproject.env import read_environment
from analyticsproject.extras import NotInstalled, install_missing
from feed.errors import FeedError
from timeseries.errors import SeriesError
from warehouse.errors import StoreError

BASE_DIR = Path(__file__).resolve().parent.parent
INSTALLS_EXTRAS = "dev"
"""The one command that installs what is missing; every other only says so."""


def run(arguments: Sequence[str]) -> None:
    """Run the command of a command line. Raises SystemExit; with --traceback whatever was
    raised."""
    if list(arguments[1:2]) == [INSTALLS_EXTRAS] and not {"-h", "--help"} & set(arguments):
        _install_extras()
    try:
        execute_from_command_line(list(arguments))
    except Exception as exc:
        said = sentence(exc)
        if said is None or "--traceback" in arguments:
            raise
        sys.exit(f"weir: {said}")


def _install_extras() -> None:
    try:
        install_missing(
            read_environment(BASE_DIR),
            BASE_DIR / "requirements",
            lambda said: sys.stderr.write(f"dev: {said}\n"),
        )
    except NotInstalled as exc:
        sys.exit(f"weir: {exc}")


def sentence(fault: Exception) -> str | None:
    """What an operator has to do about the fault; None for a bug."""
    match fault:
        case FeedError() | StoreError() | SeriesError():
            return str(fault)
        case DatabaseError() | InterfaceError():
            # A driver's words may be several lines.
            words = " ".join(str(fault).split())
            return (
                f"the Django database does not answer ({words}): does it run, and has manage.py "
                "migrate been run?"
            )
        case ImportError() if "requirements/" in str(fault):
            return str(fault)  # an adapter's, naming the extra that is missing
        case ImproperlyConfigured():
            return f"the Django settings do not work here: {fault}"
        case _:
            return None

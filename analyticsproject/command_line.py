"""What manage.py does: runs a command, and says in one sentence what an operator can put right.

A command's own refusals are CommandError, which Django prints. What comes up from an engine or the
database below it is no bug either; everything else is, and keeps its traceback.
"""

import sys
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, InterfaceError

from feed.errors import FeedError
from timeseries.errors import SeriesError
from warehouse.errors import StoreError


def run(arguments: Sequence[str]) -> None:
    """Run the command of a command line. Raises SystemExit; with --traceback whatever was
    raised."""
    try:
        execute_from_command_line(list(arguments))
    except Exception as exc:
        said = sentence(exc)
        if said is None or "--traceback" in arguments:
            raise
        sys.exit(f"weir: {said}")


def sentence(fault: Exception) -> str | None:
    """What an operator has to do about the fault; None for a bug."""
    match fault:
        case FeedError() | StoreError() | SeriesError():
            return str(fault)
        case DatabaseError() | InterfaceError():
            return f"the Django database does not answer ({fault}): has manage.py migrate been run?"
        case ImproperlyConfigured():
            return f"the Django settings do not work here: {fault}"
        case _:
            return None

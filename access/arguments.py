"""What several commands of this context read from their command line alike."""

import json
from argparse import ArgumentTypeError
from datetime import timedelta

from access.claims import Scope


def scope(text: str) -> Scope:
    """One scope's name. Raises ArgumentTypeError."""
    try:
        return Scope(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no scope: use {', '.join(Scope)}") from None


def seconds(text: str) -> timedelta:
    """A whole number of seconds, 0 or more, up to ten years. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ArgumentTypeError(f"{text!r} is not a whole number of seconds")
    return timedelta(seconds=int(text))


def json_list(text: str) -> list[object]:
    """A JSON array. Raises ArgumentTypeError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        raise ArgumentTypeError(
            f'{text[:80]!r} is not a JSON list, such as ["is", "event", ["signup"]]'
        )
    return value

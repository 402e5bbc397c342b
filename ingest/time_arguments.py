"""Times on a command line: dates or RFC 3339, in UTC where nothing else is said; durations."""

from argparse import ArgumentTypeError
from datetime import UTC, date, datetime

from ingest.timestamps import parse_time


def moment_ms(text: str) -> int:
    """Milliseconds of a date (its midnight in UTC) or of a time with an offset. Raises
    ArgumentTypeError."""
    time_ms = _midnight_ms(text)
    if time_ms is None:
        time_ms = parse_time(text)
    if time_ms is None or time_ms < 0:
        raise ArgumentTypeError(
            f"{text!r} is no time: use 2026-11-01, or 2026-11-01T12:30:00Z, from 1970 on"
        )
    return time_ms


def whole_seconds(text: str) -> float:
    """A duration. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise ArgumentTypeError(f"{text!r} is not a whole number of seconds")
    return float(text)


def _midnight_ms(text: str) -> int | None:
    try:
        day = date.fromisoformat(text) if len(text) == len("2026-11-01") else None
    except ValueError:
        return None
    if day is None:
        return None
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000

"""The query parameters of `POST /v1/events`. Names that are not ours are passed over."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from access.problems import Code, FieldError, Problem
from ingest.payloads import Level

DEFAULT_WAIT_S = 10.0
MAX_WAIT_S = 25.0
_SECONDS = re.compile(r"[0-9]{1,2}(\.[0-9]{1,3})?")
_SWITCH = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class Parameters:
    """`wait_s` bounds the wait for a level above logged."""

    ack: Level = Level.LOGGED
    wait_s: float = DEFAULT_WAIT_S
    dry_run: bool = False
    summary: bool = False


_DEFAULTS = Parameters()


def parse_parameters(query_string: bytes) -> Parameters:
    """Of equal names the last one counts. Raises Problem 400 invalid_query, naming the field."""
    if not query_string:
        return _DEFAULTS
    given = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    return Parameters(
        ack=_level(given.get("ack")),
        wait_s=_seconds(given.get("wait")),
        dry_run=_switch("dry_run", given.get("dry_run")),
        summary=_switch("summary", given.get("summary")),
    )


def _level(value: str | None) -> Level:
    if value is None:
        return Level.LOGGED
    if value not in set(Level):
        raise _wrong("ack", f"one of {', '.join(Level)}")
    return Level(value)


def _seconds(value: str | None) -> float:
    if value is None:
        return DEFAULT_WAIT_S
    if not _SECONDS.fullmatch(value) or float(value) > MAX_WAIT_S:
        raise _wrong("wait", f"seconds from 0 to {MAX_WAIT_S:g}")
    return float(value)


def _switch(name: str, value: str | None) -> bool:
    if value is None:
        return False
    if value not in _SWITCH:
        raise _wrong(name, "1 or 0")
    return _SWITCH[value]


def _wrong(name: str, takes: str) -> Problem:
    error = FieldError(Code.INVALID_QUERY, name)
    return Problem(400, Code.INVALID_QUERY, f"{name} takes {takes}", errors=[error])

"""What the URL of the warehouse says: where Cassandra is, and how to write to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from feed.errors import WrongOption

DEFAULT_PORT = 9042
DEFAULT_KEYSPACE = "weir"
MAX_PORT = 65_535
MAX_REPLICATION = 10
MAX_IN_FLIGHT = 256
MAX_BATCH_ROWS = 2_000
MAX_TIMEOUT_S = 60
OPTIONS = (
    "batch_rows",
    "ca",
    "consistency",
    "datacenter",
    "in_flight",
    "replication",
    "ssl",
    "timeout_s",
    "verify_hostname",
)
_LEVELS = ("LOCAL_QUORUM", "QUORUM", "EACH_QUORUM", "ALL", "ONE", "LOCAL_ONE", "TWO", "THREE")
_FEW: Mapping[str, int] = {"ONE": 1, "LOCAL_ONE": 1, "TWO": 2, "THREE": 3}
_KEYSPACE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+)(:(?P<port>[0-9]{1,5}))?")
_WORDS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Everything that one process needs to know; `repr` shows no password.

    `timeout_s` bounds one request: the store that answers no batch within it is unavailable.
    """

    hosts: tuple[tuple[str, int], ...]
    keyspace: str = DEFAULT_KEYSPACE
    user: str | None = None
    password: str = field(default="", repr=False)
    consistency: str = "LOCAL_QUORUM"
    replication: int = 1
    datacenter: str | None = None
    uses_tls: bool = False
    ca: Path | None = None
    verifies_hostname: bool = True
    batch_rows: int = 200
    in_flight: int = 16
    timeout_s: int = 8


def parse_options(url: str, options: Mapping[str, str]) -> StoreOptions:
    """Raises WrongOption, naming the parameter and what it takes, never the password."""
    for name in options:
        if name not in OPTIONS:
            raise _wrong(f"{name!r}", f"is no option of cassandra: it takes {', '.join(OPTIONS)}")
    user, password, hosts = _authority(url)
    parsed = StoreOptions(
        hosts=hosts,
        keyspace=_keyspace(url),
        user=user,
        password=password,
        consistency=_level(options.get("consistency", "LOCAL_QUORUM")),
        replication=_number(options, "replication", 1, MAX_REPLICATION),
        datacenter=options.get("datacenter") or None,
        uses_tls=_flag(options, "ssl", default="ca" in options),
        ca=_file(options.get("ca")),
        verifies_hostname=_flag(options, "verify_hostname", default=True),
        batch_rows=_number(options, "batch_rows", 200, MAX_BATCH_ROWS),
        in_flight=_number(options, "in_flight", 16, MAX_IN_FLIGHT),
        timeout_s=_number(options, "timeout_s", 8, MAX_TIMEOUT_S),
    )
    _check_pairs(parsed)
    return parsed


def _check_pairs(parsed: StoreOptions) -> None:
    few = _FEW.get(parsed.consistency)
    if few is not None and 2 * few <= parsed.replication:
        raise _wrong(
            f"consistency={parsed.consistency} with replication={parsed.replication}",
            "where a read could miss what a write was acknowledged for: take LOCAL_QUORUM",
        )
    if few is not None and few > parsed.replication:
        raise _wrong(
            f"consistency={parsed.consistency} with replication={parsed.replication}",
            "which no write can reach: take LOCAL_QUORUM",
        )
    if parsed.ca is not None and not parsed.uses_tls:
        raise _wrong("ca with ssl=false", "which contradict each other: leave one of them out")


def _authority(url: str) -> tuple[str | None, str, tuple[tuple[str, int], ...]]:
    """User, password and the hosts; a host without a port takes 9042."""
    credentials, _, places = urlsplit(url).netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    hosts = tuple(_host(place) for place in places.split(","))
    return unquote(user) or None, unquote(password), hosts


def _host(place: str) -> tuple[str, int]:
    found = _HOST.fullmatch(place)
    if found is None or not 0 < int(found["port"] or DEFAULT_PORT) <= MAX_PORT:
        raise _wrong(
            f"the host {place!r}", "where it takes host or host:port, several separated by commas"
        )
    return found["host"].strip("[]"), int(found["port"] or DEFAULT_PORT)


def _keyspace(url: str) -> str:
    name = urlsplit(url).path.strip("/") or DEFAULT_KEYSPACE
    if not _KEYSPACE.fullmatch(name):
        raise _wrong(
            f"the keyspace {name!r}",
            "where it takes at most 48 small letters, digits and _, a letter first",
        )
    return name


def _level(name: str) -> str:
    if name.upper() not in _LEVELS:
        raise _wrong(f"consistency={name!r}", f"where it takes {', '.join(_LEVELS)}")
    return name.upper()


def _number(options: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = options.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise _wrong(f"{name}={text!r}", f"where it takes a whole number from 1 to {most}")
    return int(text)


def _flag(options: Mapping[str, str], name: str, *, default: bool) -> bool:
    if name not in options:
        return default
    if options[name].lower() not in _WORDS:
        raise _wrong(f"{name}={options[name]!r}", "where it takes true or false")
    return _WORDS[options[name].lower()]


def _file(text: str | None) -> Path | None:
    if text is None:
        return None
    if not Path(text).is_file():
        raise _wrong(f"ca={text!r}", "which is no file: it takes the path of a PEM file")
    return Path(text)


def _wrong(what: str, why: str) -> WrongOption:
    return WrongOption(f"WEIR_WAREHOUSE_URL has {what}, {why}")

"""The address of Elasticsearch and its query parameters: names, defaults, bounds. Connects to
nothing; a password never gets into a message."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from feed.errors import WrongOption

SCHEMES = {"elasticsearch+http": "http", "elasticsearch+https": "https"}
DEFAULT_PORT = 9200
MIB = 1024 * 1024
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_HOSTS = re.compile(r"[^,:\[\]]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?")


@dataclass(frozen=True, slots=True)
class Options:
    """How one view in Elasticsearch is reached and laid out."""

    hosts: Sequence[str]
    """Addresses without user and password."""
    user: str | None = None
    password: str | None = None
    index_prefix: str = "weir"
    shards: int = 1
    """Of an index, in generations made from now on."""
    replicas: int | None = None
    """Of an index; None: one as soon as there is a second node."""
    spread: int = 1
    """Over how many routings a project's documents lie, in generations made from now on."""
    bulk_bytes: int = MIB
    """Most of one bulk request; two are under way at a time."""
    batch_records: int = 20_000
    """What the projector takes at a time when there is much."""
    refresh_s: float = 0.5
    """What was written is made readable at most so often."""
    timeout_s: float = 30.0
    """Of a bulk request."""
    ca: str | None = None
    """A file of certificates to trust instead of the system's."""
    verify: bool = True

    def __repr__(self) -> str:
        """Without the password."""
        return f"Options(hosts={self.hosts!r}, index_prefix={self.index_prefix!r})"


_NUMBERS: Mapping[str, tuple[float, float]] = {
    "shards": (1, 64),
    "replicas": (0, 8),
    "spread": (1, 64),
    "bulk_bytes": (MIB // 4, 64 * MIB),
    "batch_records": (100, 100_000),
    "refresh_s": (0.05, 1.5),
    "timeout_s": (1, 300),
}
_FRACTIONS = frozenset({"refresh_s", "timeout_s"})
_SWITCHES = {"on": True, "off": False}
_TEXTS = ("index_prefix", "ca", "verify")


def parse_options(url: str, given: Mapping[str, str]) -> Options:
    """Options from the view's URL. Raises WrongOption, naming the part."""
    parts = urlsplit(url)
    user, password, hosts = _address(parts.netloc, SCHEMES[parts.scheme])
    if parts.path not in ("", "/"):
        raise WrongOption(f"WEIR_TIMESERIES_URL has path {parts.path!r}: it takes hosts alone")
    values: dict[str, Any] = {}  # Any: of several types, each as its field says
    for name, text in given.items():
        if name in _NUMBERS:
            values[name] = _number(name, text)
        elif name in _TEXTS:
            values[name] = _text(name, text)
        else:
            known = ", ".join([*_TEXTS, *_NUMBERS])
            raise WrongOption(
                f"WEIR_TIMESERIES_URL has {name!r}, no option of elasticsearch: it takes {known}"
            )
    return Options(hosts=hosts, user=user, password=password, **values)


def _address(netloc: str, scheme: str) -> tuple[str | None, str | None, list[str]]:
    login, _, places = netloc.rpartition("@")
    user, colon, password = login.partition(":")
    if login and not (user and colon):
        raise WrongOption("WEIR_TIMESERIES_URL has a user without a password: write user:password@")
    hosts: list[str] = []
    for place in places.split(","):
        if not _HOSTS.fullmatch(place):
            raise WrongOption(
                f"WEIR_TIMESERIES_URL has host {place!r}: it takes host:port, several separated by"
                " commas"
            )
        port = "" if re.search(r":\d+$", place) else f":{DEFAULT_PORT}"
        hosts.append(f"{scheme}://{place}{port}")
    return (unquote(user), unquote(password), hosts) if login else (None, None, hosts)


def _number(name: str, text: str) -> float:
    low, high = _NUMBERS[name]
    try:
        number = float(text) if name in _FRACTIONS else int(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        kind = "a number" if name in _FRACTIONS else "a whole number"
        raise WrongOption(
            f"WEIR_TIMESERIES_URL has {name}={text!r}: it takes {kind} from {low:g} to {high:g}"
        )
    return number


def _text(name: str, text: str) -> str | bool:
    if name == "index_prefix" and not _PREFIX.fullmatch(text):
        raise WrongOption(
            f"WEIR_TIMESERIES_URL has index_prefix={text!r}: it takes up to 64 of a-z 0-9 - _"
        )
    if name == "ca" and not Path(text).is_file():
        raise WrongOption(f"WEIR_TIMESERIES_URL has ca={text!r}: there is no such file")
    if name == "verify":
        if text not in _SWITCHES:
            raise WrongOption(f"WEIR_TIMESERIES_URL has verify={text!r}: it takes on or off")
        return _SWITCHES[text]
    return text

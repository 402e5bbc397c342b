"""The three URLs that choose the engines: scheme, hosts and ports checked, in one sentence each.

No sentence repeats any of a URL but its scheme and the names of its options: the rest may hold a
password, also where a mistyped URL has it in another place than meant.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, parse_qsl, urlsplit

from analyticsproject.env import WrongSetting

MAX_PORT = 65_535
_ENCODE = "in a user name or password the characters / ? # @ : [ ] % are percent-encoded"
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(:(?P<port>.*))?")


def engine(name: str, url: str, backends: Mapping[str, str]) -> dict[str, object]:
    """A settings entry `{"BACKEND", "URL", "OPTIONS"}` from an engine's URL; the scheme chooses
    the adapter.

    OPTIONS are the URL's query parameters, as text; adapters check names and values. Raises
    WrongSetting.
    """
    scheme = _scheme(name, url, backends)
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise WrongSetting(f"{name} cannot be read as a URL: {_ENCODE}") from exc
    if "#" in url:
        raise WrongSetting(f"{name} has a #, which would hide what follows it: {_ENCODE}")
    if scheme == "embedded":
        _check_embedded(name, parts)
    else:
        _check_hosts(name, parts)
    return {"BACKEND": backends[scheme], "URL": url, "OPTIONS": _options(name, parts.query)}


def _scheme(name: str, url: str, backends: Mapping[str, str]) -> str:
    known = ", ".join(f"{known}:" for known in backends)
    scheme, colon, _ = url.partition(":")
    if not colon:
        raise WrongSetting(f"{name} is no URL: it takes one that starts with {known}")
    if scheme not in backends:
        raise WrongSetting(
            f"{name} is of the unknown kind {scheme + ':'!r}: it takes a URL that starts with "
            f"{known}"
        )
    return scheme


def _check_embedded(name: str, parts: SplitResult) -> None:
    if parts.netloc or parts.path:
        raise WrongSetting(
            f"{name} gives the embedded engine a host or path, which it has not: write embedded: "
            "alone, or with options as in embedded:?option=value (its files are in WEIR_DATA_DIR)"
        )


def _check_hosts(name: str, parts: SplitResult) -> None:
    hosts = parts.netloc.rpartition("@")[2].split(",")
    for host in hosts:
        found = _HOST.fullmatch(host)
        if found is None:
            raise WrongSetting(f"{name} has a host that cannot be one: {_ENCODE}")
        if not found["host"]:
            raise WrongSetting(f"{name} names no host: it looks like {_example(parts.scheme)}")
        if found["port"] is not None and not _is_port(found["port"]):
            raise WrongSetting(
                f"{name} has a port that is no number from 1 to {MAX_PORT}: it looks like "
                f"{_example(parts.scheme)}; {_ENCODE}"
            )


def _is_port(text: str) -> bool:
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_PORT))
    return is_number and 1 <= int(text) <= MAX_PORT


def _example(scheme: str) -> str:
    ports = {"kafka": 9092, "cassandra": 9042}
    return f"{scheme}://host:{ports.get(scheme, 9200)}"


def _options(name: str, query: str) -> dict[str, str]:
    pairs: Sequence[tuple[str, str]] = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) < len(pairs):
        twice = next(each for each in options if sum(each == one for one, _ in pairs) > 1)
        raise WrongSetting(f"{name} has the option {twice} twice: give it once")
    return options

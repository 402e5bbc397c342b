"""Reads the environment, `.env` and the development values; checks names and values, in one
sentence each.

The only module that reads the environment. Order of precedence: environment, `.env` beside
manage.py, `NAME_FILE`
beside either, then `$WEIR_DATA_DIR/dev.json`, which `manage.py dev` makes.
"""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import environ

KNOWN = frozenset(
    {
        "WEIR_FEED_URL",
        "WEIR_WAREHOUSE_URL",
        "WEIR_TIMESERIES_URL",
        "WEIR_DATA_DIR",
        "WEIR_SERVE",
        "WEIR_SECRET_KEY",
        "WEIR_DEBUG",
        "WEIR_ALLOWED_HOSTS",
        "WEIR_PUBLIC_URL",
        "WEIR_TRUSTED_PROXIES",
        "WEIR_CRASH_POINT",
    }
)
DEV_VALUES_FILE = "dev.json"
DATABASE_SCHEMES = frozenset({"sqlite", "postgres", "postgresql"})
_INJECTED = re.compile(r"WEIR_.*SERVICE_HOST|WEIR_.*SERVICE_PORT.*|WEIR(_.*)?_PORT(_.*)?")


class WrongSetting(SystemExit):
    """A setting stops the start with one sentence that names it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"weir: {sentence}")


def read_environment(base_dir: Path) -> dict[str, str]:
    """Every Weir setting and DATABASE_URL that is given anywhere. Raises WrongSetting."""
    values = dict(_dot_env(base_dir / ".env"))
    values.update(os.environ)
    values = {name: value for name, value in values.items() if _is_ours(name)}
    values = _resolve_files(values)
    data_dir = Path(values.get("WEIR_DATA_DIR") or base_dir / "var")
    return _dev_values(data_dir) | values


def _is_ours(name: str) -> bool:
    base = name.removesuffix("_FILE")
    if base in KNOWN or base == "DATABASE_URL":
        return True
    if not name.startswith("WEIR_") or _INJECTED.fullmatch(name):
        return False
    raise WrongSetting(
        f"{name} is not a setting of Weir: unset it, or see docs/operations.md for the names"
    )


def _dot_env(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}

    class Reader(environ.Env):  # type: ignore[misc]  # no types in django-environ
        """Reads into a mapping of its own: the process's environment stays as it is."""

        ENVIRON: ClassVar[dict[str, str]] = {}

    Reader.read_env(str(path))
    return Reader.ENVIRON


def _resolve_files(values: Mapping[str, str]) -> dict[str, str]:
    resolved = {name: value for name, value in values.items() if not name.endswith("_FILE")}
    for name, path in values.items():
        if not name.endswith("_FILE"):
            continue
        try:
            resolved.setdefault(name.removesuffix("_FILE"), Path(path).read_text().strip())
        except OSError as exc:
            raise WrongSetting(
                f"{name} names {path}, which cannot be read: {exc.strerror}"
            ) from exc
    return resolved


def _dev_values(data_dir: Path) -> dict[str, str]:
    path = data_dir / DEV_VALUES_FILE
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as exc:
        raise WrongSetting(f"{path} cannot be read ({exc}): delete it, dev makes it anew") from exc
    if not isinstance(values, dict) or not values.keys() <= KNOWN:
        raise WrongSetting(f"{path} holds more than settings: delete it, dev makes it anew")
    return {name: str(value) for name, value in values.items()}


def folder(name: str, path: Path) -> Path:
    """The folder, made where it is missing. Raises WrongSetting where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise WrongSetting(f"{name} is {path}, where no folder can be: {exc.strerror}") from exc
    return path


def choice_list(name: str, value: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """A comma-separated subset of `allowed`. Raises WrongSetting."""
    chosen = tuple(part.strip() for part in value.split(",") if part.strip())
    for part in chosen:
        if part not in allowed:
            raise WrongSetting(
                f"{name} has {part!r}: it takes {', '.join(allowed)}, separated by commas"
            )
    if not chosen:
        raise WrongSetting(f"{name} is empty: it takes {', '.join(allowed)}, separated by commas")
    return chosen


def boolean(name: str, value: str) -> bool:
    """Raises WrongSetting for anything but the usual words."""
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if value.lower() not in words:
        raise WrongSetting(f"{name} is {value!r}: it takes true or false")
    return words[value.lower()]


def database(name: str, url: str) -> dict[str, Any]:
    """Django's entry for a database URL: SQLite or PostgreSQL. Raises WrongSetting without the
    URL, which holds a password."""
    config: dict[str, Any] = {}
    if url.partition(":")[0] in DATABASE_SCHEMES:
        with suppress(ValueError):
            config = environ.Env.db_url_config(url)
    if config.get("NAME") in (None, "", ":memory:"):
        raise WrongSetting(
            f"{name} is not a database URL: it takes sqlite:///path or postgres://user:pass@host/db"
        )
    return config


def public_url(name: str, value: str) -> str:
    """An address without path, or nothing. Raises WrongSetting."""
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path):
        raise WrongSetting(
            f"{name} is {value!r}: it takes scheme and host alone, such as https://weir.example"
        )
    return value


def addresses(name: str, value: str) -> str:
    """Comma-separated addresses and networks, or `*`. Raises WrongSetting."""
    for part in value.split(",") if value not in ("", "*") else []:
        try:
            ip_network(part.strip())
        except ValueError as exc:
            raise WrongSetting(
                f"{name} has {part!r}: it takes addresses or networks, separated by commas, or *"
            ) from exc
    return value

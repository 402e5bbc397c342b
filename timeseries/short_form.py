"""The short form of a query: an address's parameters as the JSON that they stand for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec

from timeseries.errors import invalid_query
from timeseries.series_metrics import metric_of

SERIES_NAMES = (
    "metric",
    "event",
    "range",
    "from",
    "to",
    "timezone",
    "interval",
    "week_start",
    "group_by",
    "limit",
    "other",
    "fill",
    "filter",
)
_REPEATABLE = frozenset({"metric", "event", "group_by"})
_TEXTS = ("timezone", "interval", "week_start", "fill", "cursor", "field", "prefix")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class UnreadableQuery(ValueError):
    """The text is not JSON: `invalid_json`."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """An address's parameters: repeatable ones in order, others once."""

    values: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str | None:
        """The parameter's text, or None."""
        texts = self.values.get(name)
        return texts[0] if texts else None

    def all(self, name: str) -> Sequence[str]:
        """Every text of a repeatable parameter."""
        return self.values.get(name, ())


def read_parameters(query_string: bytes, allowed: Sequence[str]) -> Parameters:
    """Raises QueryRefused for a parameter that is not allowed, given twice, or not UTF-8."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=200,
        )
    except ValueError as exc:
        raise invalid_query("query", "the address's parameters are not UTF-8, or too many") from exc
    values: dict[str, list[str]] = {}
    for name, text in pairs:
        if name not in allowed:
            raise invalid_query(name, f"no parameter {name!r} here: it takes {', '.join(allowed)}")
        if name in values and name not in _REPEATABLE:
            raise invalid_query(name, f"{name} is given twice")
        values.setdefault(name, []).append(text)
    return Parameters(values)


def decode_json(text: bytes | str) -> object:
    """Raises UnreadableQuery for what is no JSON, or nested beyond reason."""
    try:
        decoded: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise UnreadableQuery(f"not JSON: {exc}") from exc
    return decoded


def long_form(parameters: Parameters, names: Sequence[str]) -> object:
    """The query that the parameters stand for: `query` as it is, else what `names` say.

    Raises UnreadableQuery, QueryRefused.
    """
    query = parameters.one("query")
    given = [name for name in names if name in parameters.values]
    if query is not None:
        if given:
            raise invalid_query(given[0], f"{given[0]} and query: send one or the other")
        return decode_json(query)
    members: dict[str, object] = {
        name: text for name in _TEXTS if (text := parameters.one(name)) is not None
    }
    if (limit := parameters.one("limit")) is not None:
        members["limit"] = _number(limit)
    if (other := parameters.one("other")) is not None:
        members["other"] = _BOOLEANS.get(other.lower(), other)
    members |= _lists(parameters)
    return members | _range(parameters) | _filter(parameters)


def _lists(parameters: Parameters) -> dict[str, object]:
    lists: dict[str, object] = {}
    if metrics := parameters.all("metric"):
        lists["metrics"] = [metric_of(text) for text in metrics]
    if group_by := parameters.all("group_by"):
        lists["group_by"] = list(group_by)
    return lists


def _range(parameters: Parameters) -> dict[str, object]:
    bounds: dict[str, object] = {
        name: _number(text) for name in ("from", "to") if (text := parameters.one(name)) is not None
    }
    preset = parameters.one("range")
    if preset is not None:
        return {"range": bounds | {"preset": preset}}
    return {"range": bounds} if bounds else {}


def _filter(parameters: Parameters) -> dict[str, object]:
    events, text = parameters.all("event"), parameters.one("filter")
    conditions: list[object] = [["is", "event", list(events)]] if events else []
    if text is not None:
        conditions.append(decode_json(text))
    if len(conditions) == 2:
        return {"filter": ["and", *conditions]}
    return {"filter": conditions[0]} if conditions else {}


def _number(text: str) -> object:
    """Epoch ms or a count where the text is digits alone; else the text, for the parser to
    judge."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else text

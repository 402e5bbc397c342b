"""Filters as Elasticsearch queries. Each says the same of a document as the port does: by JSON
type, by code point, by any element of an array.

Made with `elasticsearch.dsl.query`; strings lie in keywords, whose order by bytes of UTF-8 is that
of code points. See docs/decisions/0025.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from elasticsearch.dsl import query as dsl

from timeseries.adapters.elasticsearch.mapping import BOOLEANS, CORE_FIELDS, NUMBERS, STRINGS
from timeseries.domain import (
    And,
    Compares,
    CoreField,
    Exists,
    Field,
    Filter,
    Is,
    Matches,
    Not,
    Or,
    Scalar,
    TextMatch,
)

WILDCARD_EFFORT = 30_000
"""The engine refuses a wildcard of more than some 49,000: see `wildcard_effort`."""
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class Kind(StrEnum):
    """JSON types, by the letter that the names of their slots begin with; in the order in which
    groups that tie are ranked."""

    NUMBER = "n"
    STRING = "s"
    BOOLEAN = "b"


_SLOTS = {Kind.NUMBER: NUMBERS, Kind.STRING: STRINGS, Kind.BOOLEAN: BOOLEANS}


def kind_of(value: Scalar) -> Kind:
    """The JSON type of a value."""
    if isinstance(value, bool):
        return Kind.BOOLEAN
    return Kind.STRING if isinstance(value, str) else Kind.NUMBER


def places(field: Field) -> dict[Kind, str]:
    """Where values of a field are, by type; nowhere for a property without a slot."""
    if isinstance(field, CoreField):
        return {Kind.STRING: CORE_FIELDS[field]}
    if field.slot is None:
        return {}
    return {kind: names[field.slot] for kind, names in _SLOTS.items()}


def compile_filter(where: Filter) -> dsl.Query:
    """The query that matches what `where` does. Texts too hard for a wildcard are rewritten before
    (timeseries/adapters/elasticsearch/texts.py)."""
    match where:
        case And(parts):
            return all_of([compile_filter(part) for part in parts])
        case Or(parts):
            return any_of([compile_filter(part) for part in parts])
        case Not(part):
            return none_of([compile_filter(part)])
        case Is(field, values):
            return _is(places(field), values)
        case Matches(field, match, texts):
            return _matches(places(field), match, texts)
        case Compares(field, compare, value):
            place = places(field).get(kind_of(value))
            return _range(place, {compare.value: _plain(value)}) if place else dsl.MatchNone()
        case Exists(field):
            return exists(field)


def all_of(parts: Sequence[dsl.Query]) -> dsl.Query:
    """Documents that match every part; all of them without parts."""
    return dsl.Bool(filter=parts) if parts else dsl.MatchAll()


def any_of(parts: Sequence[dsl.Query]) -> dsl.Query:
    """Documents that match some part; none without parts."""
    if len(parts) == 1:
        return parts[0]
    return dsl.Bool(should=parts, minimum_should_match=1) if parts else dsl.MatchNone()


def none_of(parts: Sequence[dsl.Query]) -> dsl.Query:
    """Documents that match no part."""
    return dsl.Bool(must_not=parts) if parts else dsl.MatchAll()


def exists(field: Field) -> dsl.Query:
    """Documents that have any value of the field."""
    return any_of([dsl.Exists(field=place) for place in places(field).values()])


def _is(places: dict[Kind, str], values: Sequence[Scalar]) -> dsl.Query:
    by_kind: dict[Kind, list[Scalar]] = {}
    for value in values:
        by_kind.setdefault(kind_of(value), []).append(_plain(value))
    return any_of(
        [dsl.Terms(places[kind], found) for kind, found in by_kind.items() if kind in places]
    )


def _matches(places: dict[Kind, str], match: TextMatch, texts: Sequence[str]) -> dsl.Query:
    place = places.get(Kind.STRING)
    if place is None:
        return dsl.MatchNone()
    if "" in texts:
        return dsl.Exists(field=place)
    test = _contains if match is TextMatch.CONTAINS else _starts_with
    return any_of([test(place, text) for text in texts])


def _contains(place: str, text: str) -> dsl.Query:
    escaped = re.sub(r"[*?\\]", r"\\\g<0>", text)
    return dsl.Wildcard(place, {"value": f"*{escaped}*"})


def _starts_with(place: str, text: str) -> dsl.Query:
    """A range, since a prefix has at most 1,000 characters."""
    bounds: dict[str, Scalar] = {"gte": text}
    if (beyond := _first_beyond(text)) is not None:
        bounds["lt"] = beyond
    return _range(place, bounds)


def _first_beyond(prefix: str) -> str | None:
    """The least string above all that start with `prefix`; None when there is none."""
    kept = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)


def _range(place: str, bounds: dict[str, Scalar]) -> dsl.Query:
    return dsl.Range(place, dict(bounds))


def _plain(value: Scalar) -> Scalar:
    """The value as documents have it: -0.0 as 0.0."""
    return value if isinstance(value, str | bool) else float(value) + 0.0


def wildcard_effort(text: str) -> int:
    """What the engine spends on `*text*`: for each place in it, the number of its prefixes that
    end there. Grows with the square of the length of a text that repeats itself."""
    borders = [0] * (len(text) + 1)
    efforts = [1] * (len(text) + 1)
    longest = 0
    for index in range(1, len(text)):
        while longest and text[index] != text[longest]:
            longest = borders[longest]
        longest += text[index] == text[longest]
        borders[index + 1] = longest
        efforts[index + 1] = efforts[longest] + 1
    return sum(efforts)

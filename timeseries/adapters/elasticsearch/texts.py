"""Texts that the engine cannot look for: their wildcards, long and repetitive, are refused as too
complex. They are looked for here, among the values that have pieces of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from elasticsearch.dsl import query as dsl

from timeseries.adapters.elasticsearch.asking import Asking
from timeseries.adapters.elasticsearch.client import Json
from timeseries.adapters.elasticsearch.filters import (
    WILDCARD_EFFORT,
    Kind,
    any_of,
    compile_filter,
    places,
    wildcard_effort,
)
from timeseries.domain import And, Filter, Is, Matches, Not, Or, TextMatch, field_name
from timeseries.errors import QueryRefused

MAX_VALUES = 20_000
"""Distinct values that are looked through for one operator."""
PIECE = 64
"""Characters of a piece; the whole text is made of them, but for a rest."""
MAX_PIECES = 8
PAGE = 1_000


def asked(asking: Asking, where: Filter) -> Asking:
    """The same over documents that match the filter.

    Raises QueryRefused (`query_too_costly`) where too many values would have to be looked through.
    """
    return replace(asking, where=compile_filter(_eased(asking, where)))


def _eased(asking: Asking, where: Filter) -> Filter:
    match where:
        case And(parts):
            return And(tuple(_eased(asking, part) for part in parts))
        case Or(parts):
            return Or(tuple(_eased(asking, part) for part in parts))
        case Not(part):
            return Not(_eased(asking, part))
        case Matches(match=TextMatch.CONTAINS, values=texts):
            hard = [text for text in texts if wildcard_effort(text) > WILDCARD_EFFORT]
            return _listed(asking, where, hard) if hard else where
        case _:
            return where


def _listed(asking: Asking, where: Matches, hard: Sequence[str]) -> Filter:
    """The same, with the values that contain a hard text instead of that text."""
    easy = tuple(text for text in where.values if text not in hard)
    place = places(where.field).get(Kind.STRING)
    if place is None:
        return Or(())
    found: list[str] = []
    for seen, value in enumerate(_candidates(asking, place, where, hard), start=1):
        if seen > MAX_VALUES:
            raise QueryRefused(
                "query_too_costly",
                f"a long, repetitive text is looked for in more than {MAX_VALUES} values of"
                f" {field_name(where.field)}: ask for a shorter text or a shorter range",
                field=field_name(where.field),
            )
        if any(text in value for text in hard):
            found.append(value)
    return Or((Is(where.field, tuple(found)), replace(where, values=easy)))


def _candidates(asking: Asking, place: str, where: Matches, hard: Sequence[str]) -> Iterator[str]:
    """Distinct values of documents that have every piece of a hard text."""
    query = any_of([compile_filter(And(_pieces(where, text))) for text in hard])
    yield from _values(asking, query, place)


def _pieces(where: Matches, text: str) -> tuple[Filter, ...]:
    pieces = dict.fromkeys(
        text[start : start + PIECE] for start in range(0, len(text) - PIECE + 1, PIECE)
    )
    return tuple(replace(where, values=(piece,)) for piece in list(pieces)[:MAX_PIECES])


def _values(asking: Asking, query: dsl.Query, place: str) -> Iterator[str]:
    after: Json = {}
    while True:
        page = {
            "composite": {"size": PAGE, "sources": [{"v": {"terms": {"field": place}}}], **after}
        }
        found = asking.aggregations({"query": query, "aggs": {"page": page}}).get("page", {})
        for bucket in found.get("buckets", ()):
            yield bucket["key"]["v"]
        if len(found.get("buckets", ())) < PAGE:
            return
        after = {"after": found["after_key"]}

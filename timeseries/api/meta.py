"""The doors of /v1/meta: what a project has sent, for those who build queries."""

from collections.abc import Callable, Sequence

import msgspec

from access.http import Door, Request, json_reply
from access.problems import Reply
from timeseries.api.frame import identify, problems
from timeseries.api.rest import Surroundings
from timeseries.domain import QUERY_TIMEOUT_S
from timeseries.errors import invalid_query
from timeseries.listing import parse_limit
from timeseries.parsing import Asker
from timeseries.payloads import EventsSeen, PropertiesSeen, SeenMeta
from timeseries.queries import View
from timeseries.seen import (
    DEFAULT_SEEN,
    MAX_SEEN,
    Registry,
    events_seen,
    parse_value_query,
    properties_seen,
    values_seen,
)
from timeseries.short_form import Parameters, long_form, read_parameters
from timeseries.views import parse_generation

VALUE_NAMES = ("field", "prefix", "limit", "event", "range", "from", "to", "timezone", "filter")
_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
Work = Callable[[View, float], msgspec.Struct]
"""Blocks, given the view and the seconds left; what it returns is the answer."""


def events_seen_door(around: Surroundings) -> Door:
    """The door of /v1/meta/events."""

    def prepare(asker: Asker, parameters: Parameters) -> Work:
        limit = _limit(parameters)

        def work(view: View, left_s: float) -> msgspec.Struct:
            seen = events_seen(asker, view, limit=limit, timeout_s=left_s)
            return EventsSeen(list(seen), None, SeenMeta(view.generation))

        return work

    return _door(("limit",), prepare, around)


def properties_seen_door(around: Surroundings, registry: Registry, most: int) -> Door:
    """The door of /v1/meta/properties; `most` is how many a project can query."""

    def prepare(asker: Asker, _parameters: Parameters) -> Work:
        def work(view: View, _left_s: float) -> msgspec.Struct:
            seen = properties_seen(asker, registry, view.generation)
            return PropertiesSeen(list(seen), None, most, SeenMeta(view.generation))

        return work

    return _door((), prepare, around)


def values_seen_door(around: Surroundings) -> Door:
    """The door of /v1/meta/values."""

    def prepare(asker: Asker, parameters: Parameters) -> Work:
        query = parse_value_query(long_form(parameters, VALUE_NAMES), asker)
        return lambda view, left_s: values_seen(query, view, timeout_s=left_s)

    return _door(VALUE_NAMES, prepare, around)


def _door(
    names: Sequence[str], prepare: Callable[[Asker, Parameters], Work], around: Surroundings
) -> Door:
    async def door(request: Request) -> Reply:
        asker = identify(request, query_token=False)
        with problems():
            parameters = read_parameters(request.query_string, (*names, "generation"))
            generation = parse_generation(parameters.one("generation"))
            work = prepare(asker, parameters)

            def answer(left_s: float) -> msgspec.Struct:
                with around.view(generation) as view:
                    return work(view, left_s)

            found = await around.threads().run(answer, timeout_s=QUERY_TIMEOUT_S)
        return json_reply(found, headers=_HEADERS)

    return door


def _limit(parameters: Parameters) -> int:
    text = parameters.one("limit")
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid_query("limit", f"limit takes a whole number from 1 to {MAX_SEEN}")
    number = None if text is None else int(text)
    return parse_limit(number, default=DEFAULT_SEEN, most=MAX_SEEN)

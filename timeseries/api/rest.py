"""The doors of series, total and top: parse, run on the view, write in the format asked for."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from access.http import Door, Request
from access.problems import Reply
from timeseries.answers import Circumstances, query_as_json
from timeseries.api.bodies import read_query
from timeseries.api.caching import CACHE_HEADERS, etag_of, matches
from timeseries.api.frame import identify, problems
from timeseries.api.threads import QueryThreads
from timeseries.domain import QUERY_TIMEOUT_S, SeriesQuery
from timeseries.formats import CONTENT_TYPES, Format, check_shape, encode, negotiate, parse_shape
from timeseries.freshness import Freshness
from timeseries.parsing import QueryKind, parse_query
from timeseries.queries import View, run_query
from timeseries.short_form import SERIES_NAMES
from timeseries.tables import Shape
from timeseries.views import parse_generation

EXTRAS = ("shape", "generation")
"""Parameters beside the query."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What doors work with: the view that each query runs on, as `Views.on` gives it, the
    freshness of it, threads."""

    view: Callable[[int | None], AbstractContextManager[View]]
    freshness: Callable[[], Freshness]
    threads: Callable[[], QueryThreads]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A checked query and how its answer is wanted."""

    query: SeriesQuery
    kind: QueryKind
    form: Format
    shape: Shape
    generation: int | None
    is_get: bool
    if_none_match: str | None

    def etag(self, view: View) -> str:
        """Follows from the query as it runs, which has every preset resolved, and from the data."""
        version = view.store.data_version(self.query.project, generation=view.generation)
        parts = [self.query.project, self.kind, self.form, self.shape]
        return etag_of([*parts, query_as_json(self.query), view.generation, version])


def query_door(kind: QueryKind, around: Surroundings) -> Door:
    """The door of one kind of query, for GET and POST."""

    async def door(request: Request) -> Reply:
        asker = identify(request, query_token=True)
        with problems():
            payload, parameters = await read_query(request, SERIES_NAMES, extras=EXTRAS)
            form = negotiate(request.path_params.get("suffix"), request.header("accept"))
            shape = parse_shape(parameters.one("shape"))
            check_shape(shape, form, has_points=kind is QueryKind.SERIES)
            asked = _Asked(
                query=parse_query(payload, kind, asker),
                kind=kind,
                form=form,
                shape=shape,
                generation=parse_generation(parameters.one("generation")),
                is_get=request.method != "POST",
                if_none_match=request.header("if-none-match"),
            )
            return await around.threads().run(
                lambda left_s: _answer(asked, around, left_s), timeout_s=QUERY_TIMEOUT_S
            )

    return door


def _answer(asked: _Asked, around: Surroundings, left_s: float) -> Reply:
    """Blocks: runs on a query thread."""
    with around.view(asked.generation) as view:
        return _answer_on(view, asked, around, left_s)


def _answer_on(view: View, asked: _Asked, around: Surroundings, left_s: float) -> Reply:
    """The tag is of the data as it was before the figures were read, so that it never promises too
    much."""
    started_s = time.monotonic()
    headers = dict(CACHE_HEADERS)
    if asked.is_get:
        headers["ETag"] = asked.etag(view)
        if matches(headers["ETag"], asked.if_none_match):
            return Reply(304, b"", CONTENT_TYPES[asked.form], headers)
    through_ms = None if view.is_building else around.freshness().complete_through_ms()
    answer = run_query(asked.query, view, timeout_s=left_s)
    took_ms = round((time.monotonic() - started_s) * 1000)
    circumstances = Circumstances(through_ms, took_ms)
    body = encode(answer, circumstances, form=asked.form, shape=asked.shape)
    return Reply(200, body, CONTENT_TYPES[asked.form], headers)

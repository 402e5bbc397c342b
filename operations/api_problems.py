"""Problems that several of the API's views answer alike."""

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.request import Request

from access.drf import claims_of
from access.problems import Code, FieldError, Problem
from feed.errors import Backpressure
from timeseries.errors import QueryTimeout, SeriesBackpressure, SeriesError
from warehouse.errors import StoreBackpressure


def project_seen_whole(request: Request) -> str:
    """The token's project. Raises Problem 403 for a token with a filter: the answer would tell of
    events that its every query leaves out."""
    claims = claims_of(request)
    if claims.filter is not None:
        detail = "this token sees a part of the project alone: this needs one without a filter"
        raise Problem(403, Code.MISSING_SCOPE, detail)
    return claims.project


def wrong_parameter(field: str, detail: str) -> Problem:
    """400, naming the parameter."""
    return Problem(
        400, Code.INVALID_QUERY, detail, errors=[FieldError(Code.INVALID_QUERY, field=field)]
    )


@contextmanager
def engines_answering() -> Iterator[None]:
    """Raises Problem 503 or 504 for an engine that does not answer within, 500 for a view that
    holds what cannot be read."""
    try:
        yield
    except StoreBackpressure as exc:
        raise _later(Code.STORE_UNAVAILABLE, "the warehouse", exc) from exc
    except SeriesBackpressure as exc:
        raise _later(Code.INDEX_UNAVAILABLE, "the view", exc) from exc
    except Backpressure as exc:
        raise _later(Code.LOG_UNAVAILABLE, "the feed", exc) from exc
    except QueryTimeout as exc:
        raise Problem(504, Code.QUERY_TIMEOUT, str(exc)) from exc
    except SeriesError as exc:  # it holds what Weir never wrote: the sentence says where
        raise Problem(500, Code.INTERNAL_ERROR, str(exc)) from exc


def _later(
    code: Code, engine: str, exc: StoreBackpressure | SeriesBackpressure | Backpressure
) -> Problem:
    retry_after_s = max(1, round(exc.retry_after_s))
    detail = f"{engine} does not answer: try again in {retry_after_s} s"
    return Problem(503, code, detail, headers={"Retry-After": str(retry_after_s)})

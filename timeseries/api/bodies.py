"""The query that a request carries: a JSON body on POST, the address's parameters on GET."""

from collections.abc import Sequence

from access.http import Request, read_body
from access.problems import Code, Problem
from timeseries.short_form import (
    Parameters,
    UnreadableQuery,
    decode_json,
    long_form,
    read_parameters,
)

MAX_QUERY_BYTES = 256 * 1024
_JSON_LIKE = ("", "text/plain", "application/x-www-form-urlencoded")
"""Media types that browsers and curl send without being asked: read as JSON."""


async def read_query(
    request: Request, names: Sequence[str], *, extras: Sequence[str] = ()
) -> tuple[object, Parameters]:
    """The query as decoded JSON, and the parameters of which `extras` may stand beside it.

    Raises UnreadableQuery, QueryRefused, Problem 408, 413, 415.
    """
    if request.method != "POST":
        parameters = read_parameters(
            request.query_string, ("query", *names, *extras, "access_token")
        )
        return long_form(parameters, names), parameters
    parameters = read_parameters(request.query_string, extras)
    _check_media_type(request)
    body = await read_body(request, max_bytes=MAX_QUERY_BYTES)
    if not body:
        raise UnreadableQuery("empty: send a JSON object")
    return decode_json(body), parameters


def _check_media_type(request: Request) -> None:
    media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or media_type.endswith("+json")
    if not is_json and media_type not in _JSON_LIKE:
        raise Problem(415, Code.UNSUPPORTED_MEDIA_TYPE, f"{media_type} is not read here: send JSON")
    if (request.header("content-encoding") or "identity").strip().lower() != "identity":
        raise Problem(
            415, Code.UNSUPPORTED_ENCODING, "a query is read uncompressed: send it as it is"
        )

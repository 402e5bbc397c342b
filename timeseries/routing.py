"""The plain ASGI doors of this context, for Channels' URLRouter."""

from django.urls import URLPattern, path, re_path

from access.authentication import get_authenticator
from access.cors import with_cors
from access.http import Door, serve
from timeseries.api.events import events_door
from timeseries.api.meta import events_seen_door, properties_seen_door, values_seen_door
from timeseries.api.rest import Surroundings, query_door
from timeseries.api.threads import get_query_threads
from timeseries.backends import get_series_store
from timeseries.freshness import get_freshness
from timeseries.generations import written_generations
from timeseries.parsing import QueryKind
from timeseries.ports import RecordSource
from timeseries.slots import SLOTS_A_PROJECT, get_slots
from timeseries.views import Views

_SUFFIX = r"(?:\.(?P<suffix>json|csv|ndjson))?"
_READING = ("GET", "HEAD", "OPTIONS")
_QUERYING = (*_READING, "POST")


def http_routes(record_source: RecordSource) -> list[URLPattern]:
    """What a process with WEIR_SERVE=query serves."""
    views = Views(get_series_store, get_slots)
    around = Surroundings(views.on, get_freshness, get_query_threads)
    queries = [
        _route(rf"v1/query/{kind}{_SUFFIX}\Z", query_door(kind, around), _QUERYING)
        for kind in QueryKind
    ]
    events = events_door(around, record_source, written_generations)
    return [
        *queries,
        _route(rf"v1/query/events{_SUFFIX}\Z", events, _READING),
        _meta("events", events_seen_door(around)),
        _meta("properties", properties_seen_door(around, get_slots(), SLOTS_A_PROJECT)),
        _meta("values", values_seen_door(around)),
    ]


def _route(pattern: str, door: Door, methods: tuple[str, ...]) -> URLPattern:
    application = serve(with_cors(door, get_authenticator()), methods=methods)
    # django-stubs know no ASGI applications as views.
    return re_path(pattern, application)  # type: ignore[arg-type]


def _meta(name: str, door: Door) -> URLPattern:
    application = serve(with_cors(door, get_authenticator()), methods=_READING)
    return path(f"v1/meta/{name}", application)  # type: ignore[arg-type]

"""The plain ASGI doors of ingest, as routes of Channels' URLRouter."""

from django.urls import URLPattern, re_path

from access.authentication import get_authenticator
from access.cors import with_cors
from access.http import serve
from feed.backends import get_feed
from feed.progress import get_progress
from ingest.api.rest import EventsDoor, limits_door


def http_routes() -> list[URLPattern]:
    """A slash at the end makes no difference: an ingest path never answers 3xx."""
    authenticator = get_authenticator()
    events = with_cors(EventsDoor(authenticator, get_feed, get_progress), authenticator)
    limits = with_cors(limits_door, authenticator)
    return [
        # Any: django-stubs know no ASGI applications as views.
        re_path(r"^v1/events/?$", serve(events, methods=("POST", "OPTIONS"))),  # type: ignore[arg-type]
        re_path(r"^v1/limits/?$", serve(limits, methods=("GET", "HEAD", "OPTIONS"))),  # type: ignore[arg-type]
    ]

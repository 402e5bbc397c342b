"""The plain ASGI doors of this context."""

from django.urls import URLPattern, path

from access.authentication import get_authenticator
from access.cors import with_cors
from access.http import serve
from access.whoami import whoami


def http_routes() -> list[URLPattern]:
    """Every web process serves them, whatever its WEIR_SERVE."""
    door = with_cors(whoami, get_authenticator())
    application = serve(door, methods=("GET", "HEAD", "OPTIONS"))
    # Any: django-stubs know no ASGI applications as views.
    return [path("v1/whoami", application)]  # type: ignore[arg-type]

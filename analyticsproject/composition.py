"""The composition root: which doors this process opens, by `WEIR_SERVE`, and what runs beside them.

The plain ASGI doors come first, Django last: a part that is not served is not mounted, so that its
paths answer 404 like any other unknown one.
"""

from collections.abc import Awaitable, Sequence

from asgiref.sync import markcoroutinefunction
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import URLPattern, re_path

import access.routing
import ingest.routing
import timeseries.routing
from access.http import AsgiApp, Receive, Scope, Send
from analyticsproject import health
from analyticsproject.background import parts_of
from analyticsproject.lifespan import Lifespan
from analyticsproject.records import StoredRecords
from analyticsproject.static_files import static_door
from feed.progress import hurry_progress


def build_application(django: AsgiApp) -> AsgiApp:
    """Everything that one web process serves; connects to nothing before its lifespan starts."""
    served: Sequence[str] = settings.SERVE
    router = URLRouter(http_routes(served, django))
    protocols: AsgiApp = ProtocolTypeRouter(
        {
            "http": router,
            "websocket": refuse_socket,
            "lifespan": Lifespan(parts_of(served), on_stop_signal=hurry_progress),
        }
    )
    return _straight_to("/v1/events", router, otherwise=protocols)


def http_routes(served: Sequence[str], django: AsgiApp) -> list[URLPattern]:
    """Hot paths first; Django's handler takes whatever no door wants."""
    routes: list[URLPattern] = []
    if "ingest" in served:
        routes += ingest.routing.http_routes()
    if "query" in served:
        routes += timeseries.routing.http_routes(StoredRecords())
    routes += access.routing.http_routes()
    routes += health.http_routes()
    # Any: django-stubs know no ASGI applications as views.
    routes.append(re_path(r"^static/", static_door()))  # type: ignore[arg-type]
    routes.append(re_path(r"", django))  # type: ignore[arg-type]
    return routes


def _straight_to(path: str, router: URLRouter, *, otherwise: AsgiApp) -> AsgiApp:
    """HTTP requests for one hot path pass by all that lies between: a small request feels each
    coroutine that it goes through, again when it is woken."""
    hot: AsgiApp = next(r.callback for r in router.routes if r.pattern.match(path.lstrip("/")))

    def application(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        is_hot = scope["type"] == "http" and scope["path"] == path
        return (hot if is_hot else otherwise)(scope, receive, send)

    marked: AsgiApp = markcoroutinefunction(application)  # by this servers know ASGI 3
    return marked


async def refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """No socket is served at this path: the handshake is answered 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})

"""A web process that serves queries alone, over real embedded engines, and what was sent into
them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from channels.routing import URLRouter

from analyticsproject.records import StoredRecords
from feed.codec import encode
from feed.deliveries import Delivery
from feed.event import Event
from feed.ports import Record
from feed.topics import Topic
from tests.builders import make_project_name
from tests.key_builders import ProjectKeys
from timeseries.backends import get_series_store
from timeseries.projector import Projector
from timeseries.routing import http_routes
from timeseries.slots import get_slots
from warehouse.backends import get_event_store
from warehouse.sink import WarehouseSink

HOUR_MS = 3_600_000


@dataclass
class World:
    """Two projects; what is sent is sunk and projected when `send` returns."""

    ours: ProjectKeys = field(
        default_factory=lambda: ProjectKeys(make_project_name(), origins=("https://shop.example",))
    )
    theirs: ProjectKeys = field(default_factory=lambda: ProjectKeys(make_project_name()))

    def send(self, events: Sequence[Event], *, sunk: bool = True) -> None:
        """What the sink and the projector do with the feed's records; `sunk` False is a sink that
        is behind."""
        deliveries = [
            Delivery(Record(Topic.EVENTS, 0, n, 0, event.key, encode(event)), event)
            for n, event in enumerate(events)
        ]
        if sunk:
            WarehouseSink(get_event_store()).handle(deliveries)
        assert Projector(get_series_store(), get_slots()).handle(deliveries) == []

    def ask(
        self,
        method: str,
        path: str,
        *,
        keys: ProjectKeys | None = None,
        headers: Mapping[str, str] | None = None,
        **rest: Any,
    ) -> httpx.Response:
        """One request with a token for queries, unless `headers` carry another credential."""
        sent = dict(headers or {})
        if "Authorization" not in sent:
            sent |= (keys or self.ours).bearer()
        return asyncio.run(_ask(method, path, headers=sent, **rest))

    def get(self, path: str, **rest: Any) -> httpx.Response:
        """A GET."""
        return self.ask("GET", path, **rest)

    def post(self, path: str, query: object, **rest: Any) -> httpx.Response:
        """A POST of a query."""
        return self.ask("POST", path, json=query, **rest)

    def answer(self, path: str, query: object, **rest: Any) -> dict[str, Any]:
        """The JSON of a query that must run."""
        response = self.post(path, query, **rest)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


async def _ask(method: str, path: str, **rest: Any) -> httpx.Response:
    application = URLRouter(http_routes(StoredRecords()))
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://weir") as client:
        return await client.request(method, path, **rest)


def refusal(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and the field named first of a problem document."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    errors = problem.get("errors") or [{}]
    return response.status_code, problem["code"], errors[0].get("field")

"""Builders of what clients send: rows as JSON text, frames to admit them in, and a way to ask the
door for events."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from channels.routing import URLRouter

import ingest.routing
from feed.adapters.embedded import EmbeddedFeed, open_feed
from feed.codec import decode
from feed.event import Event, ProjectId
from feed.sqlite import open_file
from feed.topics import Topic
from ingest.domain import Frame
from tests.builders import NOON_MS
from tests.unit.feed.loops import read_topic

UUID7_AT_NOON = "019a3f2c-5c00-7abc-8def-0123456789ab"
"""Its time lies in 2025: any usable one will do."""


def make_frame(*, now_ms: int = NOON_MS, takes_back: bool = False) -> Frame:
    """What rows of a request to project demo share, received at noon."""
    return Frame(ProjectId("demo"), now_ms, "rest", None, takes_back)


def make_row_text(**members: Any) -> bytes:
    """An event as a client writes it: strong id, unless told otherwise."""
    given = {"event": "signup", "id": "e1", "timestamp": NOON_MS} | members
    return json.dumps(given).encode()


def open_ingest_feed(folder: Path, **options: object) -> EmbeddedFeed:
    """The embedded feed with its topics, two partitions."""
    texts = {name: str(value) for name, value in ({"partitions": 2} | options).items()}
    feed = open_feed("embedded:", texts, folder)
    feed.ensure_topics()
    return feed


def logged_events(feed: EmbeddedFeed) -> list[Event]:
    """Every event in the feed."""
    return [decode(value) for value in read_topic(feed, Topic.EVENTS)]


@contextmanager
def writer_held(folder: Path, topic: Topic = Topic.EVENTS) -> Iterator[None]:
    """Another connection holds the topic's write lock while inside: nothing is written, nothing is
    refused yet."""
    connection = open_file(folder / "feed" / f"{topic.value}.sqlite")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def post(
    body: bytes | Any,
    headers: Mapping[str, str],
    *,
    path: str = "/v1/events",
    method: str = "POST",
) -> httpx.Response:
    """Ask the real routes; a body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    transport = httpx.ASGITransport(URLRouter(ingest.routing.http_routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://weir.test") as client:
        return await client.request(method, path, content=content, headers=dict(headers))

"""The least that ingest can cost: a bare ASGI application that publishes prepared records through
Weir's own feed and waits for their acks.

No authentication, no parsing, no admission, no encoding: what is left is the server, the loop and
the feed. The limit of the embedded figures. On Kafka it is a figure of its own, beside the limit
that benchmarks/raw_kafka.py sets: what the same records cost where they must first be made.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.draining import open_feed
from feed.codec import encode
from feed.event import Event, event_key
from feed.ports import OutgoingRecord
from feed.topics import Topic

EVENTS_A_REQUEST = int(os.environ["RAW_EVENTS_A_REQUEST"])
FEED_URL = os.environ["RAW_FEED_URL"]
FEED = open_feed(FEED_URL, Path(os.environ["RAW_DATA_DIR"]))
FEED.ensure_topics()


def _record(index: int) -> OutgoingRecord:
    key = event_key("bench", f"raw-{index}", 1_767_225_600_000 + index)
    event = Event(
        key=key,
        project="bench",  # type: ignore[arg-type]  # a benchmark's own project
        id=f"01944d2a-0000-7000-8000-{index:012x}",
        event="event.1",
        type="track",
        occurred_at_ms=1_767_225_600_000 + index,
        received_at_ms=1_767_225_600_000,
        sent_at_ms=None,
        user_id="user-12345",
        anonymous_id=None,
        session_id=None,
        properties='{"country":"DE","plan":"team","ms":1234,"price":567.89,"new":true}',
        context="{}",
        transport="rest",
    )
    return OutgoingRecord(key, encode(event))


RECORDS = [_record(index) for index in range(EVENTS_A_REQUEST)]
BODY = b'{"ok":true}'


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read the body, publish, wait for the acks, answer."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    loop = asyncio.get_running_loop()
    settled = loop.create_future()
    ticket = FEED.publish(Topic.EVENTS, RECORDS)

    def settle() -> None:
        loop.call_soon_threadsafe(settled.set_result, None)

    ticket.add_done_callback(settle)
    await settled
    headers = [(b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})

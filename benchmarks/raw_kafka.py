"""The limit of ingest on Kafka: what one would write by hand, with libraries alone, to take the
same requests and leave the same records in the same topic, acknowledged.

msgspec reads the events, fastavro writes the records, confluent-kafka's Producer sends them with
the settings of Weir's adapter. No authentication, no admission rules, no word on every row: the
answer says that all is logged, or that it is not. tests/unit/benchmarks holds its records and
settings to Weir's.
"""

import asyncio
import io
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer
from fastavro import parse_schema, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

SCHEMA = json.loads((Path(__file__).parents[1] / "feed/schema/event_v1.avsc").read_text())
HEADER = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(SCHEMA), "CRC-64-AVRO"))
PARSED = parse_schema(SCHEMA)
PROJECT = "bench"
SETTINGS: dict[str, Any] = {  # Any: the driver's own
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 0.5,
    "compression.type": "lz4",
    "partitioner": "consistent",
}
LOGGED, NOT_LOGGED = b'{"ack":"logged"}', b'{"ack":null}'


class Event(msgspec.Struct):
    """One event of the benchmark's corpus."""

    event: str
    id: str
    timestamp: int
    user_id: str | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")


_DECODER = msgspec.json.Decoder(list[Event])


def read(body: bytes) -> list[Event]:
    """The events of an array, or the one event that is not in an array."""
    return _DECODER.decode(body if body[:1] == b"[" else b"[%b]" % body)


def key_of(event: Event) -> bytes:
    """48 bits of time, then a UUIDv8 around 74 bits of BLAKE2b of project and id."""
    digest = blake2b(f"{PROJECT}\0{event.id}".encode(), digest_size=16).digest()
    bits = int.from_bytes(digest, "big") >> 54
    high, low = bits >> 62, bits & (1 << 62) - 1
    whole = event.timestamp << 80 | 8 << 76 | high << 64 | 2 << 62 | low
    return whole.to_bytes(16, "big")


def record_of(event: Event, key: bytes, received_at_ms: int) -> bytes:
    """Single-object encoding of the event."""
    written = io.BytesIO()
    written.write(HEADER)
    datum = {
        "key": key,
        "project": PROJECT,
        "id": event.id,
        "event": event.event,
        "type": "track",
        "occurred_at": event.timestamp,
        "received_at": received_at_ms,
        "sent_at": None,
        "user_id": event.user_id,
        "anonymous_id": None,
        "session_id": None,
        "properties": bytes(event.properties).decode(),
        "context": "{}",
        "transport": "rest",
    }
    schemaless_writer(written, PARSED, datum)
    return written.getvalue()


class Sending:
    """One request's records on their way."""

    __slots__ = ("_left", "_loop", "_settled", "is_logged")

    def __init__(self, count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._settled = self._loop.create_future()
        self._left, self.is_logged = count, True

    def reported(self, error: object, _: object) -> None:
        """One delivery report, in the polling thread; the last one wakes the request."""
        self._left -= 1
        if error is not None:
            self.is_logged = False
        if self._left == 0:
            self._loop.call_soon_threadsafe(self._settled.set_result, None)

    async def wait(self) -> None:
        """Return when every record has been reported."""
        await self._settled


@cache
def producer() -> Producer:
    """Made at the first request; its reports are called from a thread of its own."""
    made = Producer(SETTINGS | {"bootstrap.servers": os.environ["RAW_SERVERS"]})

    def poll() -> None:
        while True:
            made.poll(0.1)

    threading.Thread(target=poll, daemon=True).start()
    return made


async def send_events(body: bytes) -> bool:
    """Whether all of the body's events are logged."""
    events, topic = read(body), os.environ["RAW_TOPIC"]
    produce, sending = producer().produce, Sending(len(events))
    received_at_ms = time.time_ns() // 1_000_000
    for event in events:
        key = key_of(event)
        produce(topic, record_of(event, key, received_at_ms), key, on_delivery=sending.reported)
    await sending.wait()
    return sending.is_logged


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read the body, send its events, answer when the broker has them all. A request without a
    body is asked whether this server is up."""
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    body += message.get("body", b"")
    is_logged = await send_events(body) if body else True
    answer = LOGGED if is_logged else NOT_LOGGED
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    status = 200 if is_logged else 503
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

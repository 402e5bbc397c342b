"""The events that every benchmark sends: a shop's, about 230 bytes of JSON, ids and times of their
own."""

import json
import random
from typing import Any
from uuid import UUID

EVENT_NAMES = tuple(f"event.{number}" for number in range(20))
START_MS = 1_767_225_600_000
COUNTRIES = ("DE", "FR", "JP", "US", "BR", "IN", "GB", "ES")
PLANS = ("free", "team", "business")


def shop_event(rng: random.Random, time_ms: int) -> dict[str, Any]:
    """One event as a client sends it."""
    event_id = UUID(int=time_ms << 80 | 7 << 76 | 2 << 62 | rng.getrandbits(62))
    return {
        "event": rng.choice(EVENT_NAMES),
        "id": str(event_id),
        "timestamp": time_ms,
        "user_id": f"user-{rng.randrange(50_000)}",
        "properties": {
            "country": rng.choice(COUNTRIES),
            "plan": rng.choice(PLANS),
            "ms": rng.randrange(5_000),
            "price": rng.randrange(100_000) / 100,
            "new": rng.random() < 0.3,
        },
    }


def shop_events(count: int, *, seed: int, span_ms: int = 3_600_000) -> list[dict[str, Any]]:
    """`count` events, evenly spread over `span_ms`, in order of time."""
    rng = random.Random(seed)
    return [shop_event(rng, START_MS + index * span_ms // count) for index in range(count)]


def batches(events: list[dict[str, Any]], size: int) -> list[bytes]:
    """JSON arrays of `size` events."""
    return [
        json.dumps(events[start : start + size], separators=(",", ":")).encode()
        for start in range(0, len(events), size)
    ]

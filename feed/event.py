"""The event and its key: what every context agrees on. Knows no codec and no engine.

Times are whole milliseconds since 1970-01-01 UTC wherever a name ends in `_ms`: the hot paths
never build datetimes.
"""

from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NewType
from uuid import UUID
from zlib import crc32

import msgspec

ProjectId = NewType("ProjectId", str)
"""A project's name, a slug `[a-z0-9-]{1,63}`: never changed, never reused."""

EventKey = NewType("EventKey", bytes)
"""16 bytes, ordered by time of occurrence: the identity of an event in every store."""

HOUR_MS = 3_600_000
LAST_KEY_MS = 2**48 - 1
"""The last time that a key can say."""
_HASH_BITS = 74
_UNUSED_BITS = 128 - _HASH_BITS
_LOW = (1 << 62) - 1
_HIGH = (1 << _HASH_BITS) - 1 ^ _LOW
_UUID8 = 0x8 << 76 | 0b10 << 62  # version and variant, above and below the high 12 bits of hash


class EventType(StrEnum):
    """The six kinds of call; `track` unless the client says otherwise."""

    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    IDENTIFY = "identify"
    GROUP = "group"
    ALIAS = "alias"


class Event(msgspec.Struct, frozen=True, gc=False):
    """An immutable fact as it travels in the feed and lies in the warehouse.

    `properties` and `context` are the JSON objects that came in, as text, checked at admission.
    """

    key: EventKey
    project: ProjectId
    id: str
    event: str
    type: str
    occurred_at_ms: int
    received_at_ms: int
    sent_at_ms: int | None
    user_id: str | None
    anonymous_id: str | None
    session_id: str | None
    properties: str
    context: str
    transport: str


class EventHead(msgspec.Struct, frozen=True, gc=False):
    """Of an event what it takes to place and to filter it."""

    key: EventKey
    project: ProjectId
    event: str
    received_at_ms: int


def event_key(project: str, event_id: str, occurred_at_ms: int) -> EventKey:
    """The key as a pure function of project, id and time: 48 bits of time, then a UUIDv8 around 74
    bits of hash.

    RFC 9562 section 5.8. A retry, a redelivery, a replay and a resubmission all give the same key.
    """
    hashing = _project_hash(project).copy()
    hashing.update(event_id.encode())
    bits = int.from_bytes(hashing.digest(), "big") >> _UNUSED_BITS
    whole = occurred_at_ms << 80 | _UUID8 | (bits & _HIGH) << 2 | bits & _LOW
    return EventKey(whole.to_bytes(16, "big"))


@lru_cache(maxsize=1024)
def _project_hash(project: str) -> blake2b:
    """What all keys of a project begin with, hashed once."""
    return blake2b(f"{project}\0".encode(), digest_size=16)


def key_time_ms(key: bytes) -> int:
    """The time of occurrence that a key carries."""
    return int.from_bytes(key[:6], "big")


def first_key_at(time_ms: int) -> EventKey:
    """The smallest 16 bytes that any key of this millisecond can have: a bound for scans, never a
    key itself."""
    return EventKey(time_ms.to_bytes(6, "big") + bytes(10))


def key_text(key: bytes) -> str:
    """The key as clients see it: 36 characters."""
    digits = key.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse_key(text: str) -> EventKey:
    """Raises ValueError when the text is not a key that `key_text` wrote."""
    parsed = UUID(text)
    if str(parsed) != text.lower() or parsed.version != 8:
        raise ValueError(f"{text!r} is not an event key: 36 characters, as in the answer to a send")
    return EventKey(parsed.bytes)


def record_version(received_at_ms: int, value: bytes) -> int:
    """Of two records with one key the higher version wins, in every store alike, whatever the
    order of delivery.

    `value` is the encoded record; its hash breaks ties within a millisecond (CRC-32, stable across
    processes).
    """
    return received_at_ms * 1000 + crc32(value) % 1000


def key_hash(key: bytes, version: int) -> int:
    """24 bits that verification sums up by hour, in warehouse and view alike."""
    return crc32(version.to_bytes(8, "big"), crc32(key)) & 0xFFFFFF

"""The shapes of ingest as msgspec types: an event as clients write it, and what they get back.

The OpenAPI document is made from these types, so a bound or a description here is a promise.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from feed.event import EventType

MAX_EVENT_CHARS = 200
MAX_ID_CHARS = 128
MAX_PERSON_CHARS = 512  # user_id, anonymous_id, session_id: far below what the view can index

NOTHING = Raw(b"{}")

EventName = Annotated[str, Meta(min_length=1, max_length=MAX_EVENT_CHARS)]
EventId = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]
PersonId = Annotated[str, Meta(min_length=1, max_length=MAX_PERSON_CHARS)]
Time = int | str


class EventPayload(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One event as a client writes it. null stands for a member that is not given."""

    event: EventName
    id: EventId | None = None
    type: EventType | None = None
    user_id: PersonId | None = None
    anonymous_id: PersonId | None = None
    session_id: PersonId | None = None
    timestamp: Time | None = None
    properties: Raw = NOTHING
    context: Raw = NOTHING


class ExportedPayload(EventPayload, forbid_unknown_fields=True, gc=False):
    """One event as `export_events` writes it: with what Weir knew of its first arrival."""

    received_at: Time | None = None
    sent_at: Time | None = None
    transport: PersonId | None = None


class Result(StrEnum):
    """What became of a row. RETRY: it may or may not be kept; send it again, which is safe."""

    OK = "ok"
    WARNING = "warning"
    REJECTED = "rejected"
    RETRY = "retry"


class Level(StrEnum):
    """How far an event has come, in this order."""

    LOGGED = "logged"
    STORED = "stored"
    PROJECTED = "projected"


class RowResult(msgspec.Struct, omit_defaults=True, gc=False):
    """What became of one row. `timestamp` comes with `weak_id`: id and timestamp as used, which
    make a resend safe. `warnings` comes when more than one applies."""

    index: int
    id: str | None
    result: Result
    key: str | UnsetType = UNSET
    timestamp: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    field: str | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET


class Counts(msgspec.Struct):
    """Rows by result."""

    ok: int = 0
    warning: int = 0
    rejected: int = 0
    retry: int = 0


class Notice(msgspec.Struct, omit_defaults=True):
    """A warning about the request as a whole."""

    code: str
    field: str


class EventsAnswer(msgspec.Struct, omit_defaults=True):
    """What became of a request. `ack` is the level that every row answered ok or warning has
    reached; null when nothing was logged (a dry run, or every row is to be sent again)."""

    request_id: str
    received_at: str
    ack: Level | None
    counts: Counts
    results: list[RowResult]
    code: str | UnsetType = UNSET
    warnings: list[Notice] | UnsetType = UNSET


class LimitsAnswer(msgspec.Struct):
    """The limits in force, in bytes, characters, milliseconds and seconds as the names say."""

    event_bytes: int
    batch_events: int
    batch_bytes: int
    event_chars: int
    id_chars: int
    person_id_chars: int
    property_name_chars: int
    property_depth: int
    integer_min: int
    integer_max: int
    timestamp_from: str
    timestamp_ahead_ms: int
    wait_default_s: float
    wait_max_s: float

"""Which rows are events: the admission rules, pure. Knows no door, no feed and no clock.

A row is the JSON text of one event. Most rows pass one typed decoding; a row that does not is read
again member by member, which finds the code and the field to answer with.
"""

from collections.abc import Callable

import msgspec

from access.problems import Code
from access.texts import is_text
from feed.event import Event, EventType, ProjectId, event_key
from ingest import json_rules
from ingest.identifiers import make_id, time_in_id
from ingest.json_text import InvalidJson, NotAnObject, members
from ingest.payloads import (
    NOTHING,
    EventId,
    EventName,
    EventPayload,
    ExportedPayload,
    PersonId,
    Time,
)
from ingest.timestamps import parse_time

MAX_EVENT_BYTES = 32 * 1024
FIRST_TIMESTAMP_MS = 946_684_800_000  # 2000-01-01T00:00:00Z
MAX_AHEAD_MS = 24 * 3_600_000
MAX_SHOWN_CHARS = 200
_EMPTY_OBJECT = "{}"
MAX_EXPORTED_BYTES = MAX_EVENT_BYTES + 1024
"""An export writes out what the first arrival added to the event: times, type, id, transport."""
_LINE_BREAKS_TO_SPACES = bytes.maketrans(b"\r\n", b"  ")
"""JSON has line breaks between tokens alone. Without them a record's text fits a line of an
export, whose import then gives the very same record."""


class Rejected(msgspec.Struct, frozen=True):
    """A row that is no event, and why. `event_id` where it could be read."""

    code: Code
    field: str | None
    event_id: str | None


class Admitted(msgspec.Struct, frozen=True):
    """An event, and what its sender should know: warning codes, the most important first, and the
    first unknown name."""

    event: Event
    warnings: tuple[Code, ...]
    unknown: str | None


class Frame(msgspec.Struct, frozen=True):
    """What all rows of a request share. `now_ms` bounds timestamps; rows of an export may bring
    their own `received_at`, `sent_at` and `transport` when `takes_back` is set."""

    project: ProjectId
    now_ms: int
    transport: str
    sent_at_ms: int | None = None
    takes_back: bool = False


class _Refusal(Exception):
    """The row breaks a rule."""

    def __init__(self, code: Code, field: str | None = None) -> None:
        super().__init__(code)
        self.code, self.field = code, field


_DECODERS: dict[bool, msgspec.json.Decoder[EventPayload]] = {
    False: msgspec.json.Decoder(EventPayload),
    True: msgspec.json.Decoder(ExportedPayload),  # a subclass: the shape and three members more
}
_NAMES = {
    False: frozenset(EventPayload.__struct_fields__),
    True: frozenset(ExportedPayload.__struct_fields__),
}
_DECODE, _DECODE_EXPORTED = (_DECODERS[takes_back].decode for takes_back in (False, True))
_TRACK = EventType.TRACK
_DECODE_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def admit(row: bytes, frame: Frame) -> Admitted | Rejected:
    """The event that the row says, or why it is none. Raises nothing, whatever the bytes."""
    if len(row) > (MAX_EXPORTED_BYTES if frame.takes_back else MAX_EVENT_BYTES):
        return Rejected(Code.EVENT_TOO_LARGE, None, None)
    event_id: str | None = None
    try:
        payload, unknown = _read(row, frame.takes_back)
        event_id = payload.id
        return _admitted(payload, unknown, frame)
    except _Refusal as refusal:
        return Rejected(refusal.code, refusal.field, event_id or _readable_id(row))


def _read(row: bytes, takes_back: bool) -> tuple[EventPayload, str | None]:
    """The members, and the first unknown name. Raises _Refusal."""
    if b"\\" not in row or not json_rules.holds_escaped_nul(row):
        try:
            return (_DECODE_EXPORTED(row) if takes_back else _DECODE(row)), None
        except _DECODE_FAULTS:
            pass
    return _read_carefully(row, takes_back)


def _read_carefully(row: bytes, takes_back: bool) -> tuple[EventPayload, str | None]:
    given = {name: raw for name, raw in _members(row).items() if raw != b"null"}
    if "event" not in given:
        raise _Refusal(Code.MISSING_EVENT, "event")
    payload = ExportedPayload("") if takes_back else EventPayload("")
    for name, read in _READERS.items():
        if name in given and name in _NAMES[takes_back]:
            setattr(payload, name, read(name, given[name]))
    unknown = next((name for name in given if name not in _NAMES[takes_back]), None)
    return payload, None if unknown is None else unknown[:MAX_SHOWN_CHARS]


def _members(row: bytes) -> dict[str, bytes]:
    try:
        return members(row)
    except InvalidJson as exc:
        raise _Refusal(Code.INVALID_JSON) from exc
    except NotAnObject as exc:
        raise _Refusal(Code.INVALID_EVENT) from exc


def _reader(kind: object, code: Code) -> Callable[[str, bytes], object]:
    decoder = msgspec.json.Decoder(kind)

    def read(name: str, raw: bytes) -> object:
        try:
            value = decoder.decode(raw)
        except _DECODE_FAULTS as exc:
            raise _Refusal(code, name) from exc
        if isinstance(value, str) and not is_text(value):
            raise _Refusal(code, name)
        return value

    return read


def _raw(name: str, raw: bytes) -> object:
    return msgspec.Raw(raw)


_READERS: dict[str, Callable[[str, bytes], object]] = {
    "id": _reader(EventId, Code.INVALID_ID),
    "event": _reader(EventName, Code.INVALID_EVENT),
    "type": _reader(EventType, Code.INVALID_EVENT),
    "user_id": _reader(PersonId, Code.INVALID_EVENT),
    "anonymous_id": _reader(PersonId, Code.INVALID_EVENT),
    "session_id": _reader(PersonId, Code.INVALID_EVENT),
    "timestamp": _reader(Time, Code.INVALID_TIMESTAMP),
    "properties": _raw,
    "context": _raw,
    "received_at": _reader(Time, Code.INVALID_TIMESTAMP),
    "sent_at": _reader(Time, Code.INVALID_TIMESTAMP),
    "transport": _reader(PersonId, Code.INVALID_EVENT),
}


def _admitted(payload: EventPayload, unknown: str | None, frame: Frame) -> Admitted:
    if frame.takes_back:
        received_at_ms, sent_at_ms, transport = _first_arrival(payload, frame)
    else:
        received_at_ms, sent_at_ms, transport = frame.now_ms, frame.sent_at_ms, frame.transport
    event_id = payload.id or make_id(received_at_ms)
    occurred_at_ms, is_given = _occurrence(payload, received_at_ms, frame.now_ms)
    event = Event(
        key=event_key(frame.project, event_id, occurred_at_ms),
        project=frame.project,
        id=event_id,
        event=payload.event,
        type=payload.type or _TRACK,
        occurred_at_ms=occurred_at_ms,
        received_at_ms=received_at_ms,
        sent_at_ms=sent_at_ms,
        user_id=payload.user_id,
        anonymous_id=payload.anonymous_id,
        session_id=payload.session_id,
        properties=_object_text("properties", payload.properties),
        context=_object_text("context", payload.context),
        transport=transport,
    )
    if is_given and unknown is None and payload.id is not None:
        return Admitted(event, (), None)
    is_weak = payload.id is None or not is_given
    weak = (Code.WEAK_ID,) if is_weak else ()
    return Admitted(event, weak + (() if unknown is None else (Code.UNKNOWN_FIELD,)), unknown)


def _first_arrival(payload: EventPayload, frame: Frame) -> tuple[int, int | None, str]:
    assert isinstance(payload, ExportedPayload)  # noqa: S101  # what _read gives a frame that takes back
    received_at_ms, sent_at_ms = frame.now_ms, frame.sent_at_ms
    if payload.received_at is not None:
        received_at_ms = _admitted_time("received_at", payload.received_at, frame.now_ms)
        sent_at_ms = None
    if payload.sent_at is not None:
        sent_at_ms = parse_time(payload.sent_at)
        if sent_at_ms is None:
            raise _Refusal(Code.INVALID_TIMESTAMP, "sent_at")
    return received_at_ms, sent_at_ms, payload.transport or frame.transport


def _occurrence(payload: EventPayload, received_at_ms: int, now_ms: int) -> tuple[int, bool]:
    """When it occurred, and whether the row itself says so."""
    if payload.timestamp is not None:
        return _admitted_time("timestamp", payload.timestamp, now_ms), True
    inside = None if payload.id is None else time_in_id(payload.id)
    if inside is not None and FIRST_TIMESTAMP_MS <= inside <= now_ms + MAX_AHEAD_MS:
        return inside, True
    return received_at_ms, False


def _admitted_time(name: str, value: Time, now_ms: int) -> int:
    time_ms = parse_time(value)
    if time_ms is None or time_ms < FIRST_TIMESTAMP_MS:
        raise _Refusal(Code.INVALID_TIMESTAMP, name)
    if time_ms > now_ms + MAX_AHEAD_MS:
        raise _Refusal(Code.TIMESTAMP_IN_FUTURE, name)
    return time_ms


def _object_text(name: str, raw: msgspec.Raw) -> str:
    if raw is NOTHING:
        return _EMPTY_OBJECT
    text = bytes(raw)
    fault = json_rules.fault_in(text)
    if fault is None:
        if b"\n" in text or b"\r" in text:
            text = text.translate(_LINE_BREAKS_TO_SPACES)
        return text.decode()
    if text == b"null":
        return _EMPTY_OBJECT
    raise _Refusal(Code.INVALID_PROPERTIES, f"{name}.{fault}" if fault else name)


def _readable_id(row: bytes) -> str | None:
    """The id of a row that is refused for something else, so that its sender knows which."""
    try:
        return str(_READERS["id"]("id", members(row)["id"]))
    except (ValueError, KeyError, _Refusal):
        return None

"""Event <-> bytes of a record: Avro single-object encoding of `schema/event_v1.avsc`.

Avro specification 1.12, "Single object encoding": C3 01, the 8-byte CRC-64-AVRO fingerprint of the
writer's
schema (little endian), then the datum. A reader thus knows the schema without a registry.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from feed.errors import UndecodableRecord, UnknownSchema
from feed.event import Event

SCHEMA_PATH = Path(__file__).parent / "schema" / "event_v1.avsc"
_MARKER = b"\xc3\x01"
_HEADER_BYTES = 10


def _without_logical_types(node: Any) -> Any:  # Any: a JSON document
    """Logical types do not change the bytes; without them fastavro gives plain integers, not
    datetimes."""
    if isinstance(node, dict):
        return {
            name: _without_logical_types(part)
            for name, part in node.items()
            if name != "logicalType"
        }
    return [_without_logical_types(part) for part in node] if isinstance(node, list) else node


_SCHEMA = parse_schema(_without_logical_types(json.loads(SCHEMA_PATH.read_text())))
_CANONICAL = to_parsing_canonical_form(json.loads(SCHEMA_PATH.read_text()))
FINGERPRINT = bytes.fromhex(fingerprint(_CANONICAL, "CRC-64-AVRO"))
_HEADER = _MARKER + FINGERPRINT


def encode(event: Event) -> bytes:
    """The bytes of one record: header of 10 bytes and the datum. Raises ValueError for text with
    lone surrogates."""
    buffer = BytesIO()
    buffer.write(_HEADER)
    fastavro.schemaless_writer(
        buffer,
        _SCHEMA,
        {
            "key": event.key,
            "project": event.project,
            "id": event.id,
            "event": event.event,
            "type": event.type,
            "occurred_at": event.occurred_at_ms,
            "received_at": event.received_at_ms,
            "sent_at": event.sent_at_ms,
            "user_id": event.user_id,
            "anonymous_id": event.anonymous_id,
            "session_id": event.session_id,
            "properties": event.properties,
            "context": event.context,
            "transport": event.transport,
        },
    )
    return buffer.getvalue()


def decode(value: bytes) -> Event:
    """The event of a record's value.

    Raises UnknownSchema when the fingerprint is not ours: stop, a newer writer is at work and the
    record is good.
    Raises UndecodableRecord when the bytes are not an event: the record is poison, dead-letter it.
    """
    if value[:2] != _MARKER or len(value) < _HEADER_BYTES:
        raise UndecodableRecord("the value does not start with the Avro single-object marker C3 01")
    if value[:_HEADER_BYTES] != _HEADER:
        raise UnknownSchema(value[2:_HEADER_BYTES].hex())
    body = BytesIO(value)
    body.seek(_HEADER_BYTES)
    try:
        datum: Any = fastavro.schemaless_reader(body, _SCHEMA, None)  # Any: fastavro's own type
    except (EOFError, IndexError, ValueError, OverflowError, MemoryError) as exc:
        raise UndecodableRecord(f"the datum does not fit schema event v1: {exc!r}") from exc
    if body.tell() != len(value):
        raise UndecodableRecord("bytes are left after the datum")
    return Event(*datum.values())

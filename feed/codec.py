"""Event <-> bytes of a record: Avro single-object encoding of `schema/event_v1.avsc`.

Avro specification 1.12, "Single object encoding": C3 01, the 8-byte CRC-64-AVRO fingerprint of the
writer's schema (little endian), then the datum. A reader thus knows the schema without a registry.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fastavro.schema import fingerprint, to_parsing_canonical_form

from feed.avro_compiler import Malformed, compile_decoder, compile_encoder
from feed.errors import UndecodableRecord, UnknownSchema
from feed.event import Event, EventHead

T = TypeVar("T")

SCHEMA_PATH = Path(__file__).parent / "schema" / "event_v1.avsc"
_MARKER = b"\xc3\x01"
_HEADER_BYTES = 10

_SCHEMA = json.loads(SCHEMA_PATH.read_text())
FINGERPRINT = bytes.fromhex(fingerprint(to_parsing_canonical_form(_SCHEMA), "CRC-64-AVRO"))
_HEADER = _MARKER + FINGERPRINT
_ATTRIBUTES = Event.__struct_fields__  # in the order of the schema's fields
_encode = compile_encoder(_SCHEMA, _ATTRIBUTES, header=_HEADER)
_decode = compile_decoder(_SCHEMA, Event, start=_HEADER_BYTES)
_decode_head = compile_decoder(
    _SCHEMA,
    EventHead,
    start=_HEADER_BYTES,
    wanted=("key", "project", "event", "received_at"),
)


def encode(event: Event) -> bytes:
    """The bytes of one record: header of 10 bytes and the datum. Raises ValueError for text with
    lone surrogates."""
    return _encode(event)


def decode(value: bytes) -> Event:
    """The event of a record's value.

    Raises UnknownSchema when the fingerprint is not ours: stop, a newer writer is at work and the
    record is good.
    Raises UndecodableRecord when the bytes are not an event: the record is poison, dead-letter it.
    """
    return _decoded(value, _decode)


def decode_head(value: bytes) -> EventHead:
    """The same for whoever keeps the bytes as they are, at less than half the time: of the other
    fields the framing is checked, not that each text is UTF-8."""
    return _decoded(value, _decode_head)


def _decoded(value: bytes, decode_datum: Callable[[bytes], T]) -> T:
    if not value.startswith(_HEADER):
        if value[:2] != _MARKER or len(value) < _HEADER_BYTES:
            raise UndecodableRecord(
                "the value does not start with the Avro single-object marker C3 01"
            )
        raise UnknownSchema(value[2:_HEADER_BYTES].hex())
    try:
        return decode_datum(value)
    except Malformed as exc:
        raise UndecodableRecord(f"the datum does not fit schema event v1: {exc}") from exc

"""The event's bytes: frozen, the same as two other codecs write, and total against garbage."""

import io
import json
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from feed.codec import FINGERPRINT, SCHEMA_PATH, decode, decode_head, encode
from feed.errors import UndecodableRecord, UnknownSchema
from feed.event import Event, EventHead, EventKey, EventType, ProjectId
from tests.builders import make_event

SCHEMAS = Path(__file__).parents[2] / "schemas"
GOLDEN = json.loads((SCHEMAS / "event_v1_golden.json").read_text())
HEADER = b"\xc3\x01" + FINGERPRINT
FIRST_LONG_AT = 10 + 16 + len("\x08demo") + len("\x02i") + len("\x02e") + 1

TEXTS = st.text(st.characters(codec="utf-8"), max_size=300) | st.builds(
    "x".__mul__, st.integers(0, 9_000)
)
TIMES = st.integers(-(2**63), 2**63 - 1) | st.integers(946_684_800_000, 2_500_000_000_000)


def _events(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    return st.builds(
        Event,
        st.binary(min_size=16, max_size=16).map(EventKey),
        texts.map(ProjectId),
        texts,
        texts,
        st.sampled_from([kind.value for kind in EventType]),
        TIMES,
        TIMES,
        st.none() | TIMES,
        st.none() | texts,
        st.none() | texts,
        st.none() | texts,
        texts,
        texts,
        texts,
    )


EVENTS = _events(TEXTS)
SMALL_EVENTS = _events(st.text("aä☃", max_size=5))


def _plain_schema(node: Any) -> Any:
    """The released schema without logical types: they change no bytes, and `avro` mishandles them
    in fingerprints."""
    if isinstance(node, dict):
        return {name: _plain_schema(part) for name, part in node.items() if name != "logicalType"}
    return [_plain_schema(part) for part in node] if isinstance(node, list) else node


PLAIN = _plain_schema(json.loads((SCHEMAS / "event_v1.avsc").read_text()))
AVRO_SCHEMA = avro.schema.parse(json.dumps(PLAIN))
FAST_SCHEMA = fastavro.parse_schema(PLAIN)


def _datum(event: Event) -> dict[str, Any]:
    names = [field["name"] for field in PLAIN["fields"]]
    attributes = [
        f"{name}_ms" if name in ("occurred_at", "received_at", "sent_at") else name
        for name in names
    ]
    values = [getattr(event, attribute) for attribute in attributes]
    return dict(zip(names, values, strict=True))


def _avro_bytes(event: Event) -> bytes:
    buffer = io.BytesIO()
    avro.io.DatumWriter(AVRO_SCHEMA).write(_datum(event), avro.io.BinaryEncoder(buffer))
    return HEADER + buffer.getvalue()


def _fastavro_bytes(event: Event) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, FAST_SCHEMA, _datum(event))
    return HEADER + buffer.getvalue()


def _fastavro_values(value: bytes) -> list[Any] | None:
    """What fastavro reads, if it reads the whole of it."""
    buffer = io.BytesIO(value[len(HEADER) :])
    try:
        datum: Any = fastavro.schemaless_reader(buffer, FAST_SCHEMA, None)
    except (EOFError, IndexError, ValueError, OverflowError, MemoryError):
        return None
    return list(datum.values()) if not buffer.read(1) else None


def test_the_released_schema_was_never_edited() -> None:
    assert SCHEMA_PATH.read_bytes() == (SCHEMAS / "event_v1.avsc").read_bytes()


def test_the_fingerprint_is_frozen_and_the_one_that_avro_computes() -> None:
    assert FINGERPRINT.hex() == GOLDEN["fingerprint"]
    assert AVRO_SCHEMA.fingerprint("CRC-64-AVRO") == FINGERPRINT


@pytest.mark.parametrize("golden", GOLDEN["events"], ids=lambda golden: golden["event"]["id"][:4])
def test_frozen_bytes_are_written_and_read_as_ever(golden: dict[str, Any]) -> None:
    members = dict(golden["event"])
    event = Event(**{**members, "key": EventKey(bytes.fromhex(members["key"]))})
    value = bytes.fromhex(golden["bytes"])

    assert encode(event) == value
    assert decode(value) == event


@given(EVENTS)
@settings(max_examples=200)
def test_the_bytes_are_those_of_avro_and_of_fastavro(event: Event) -> None:
    value = encode(event)

    assert value == _fastavro_bytes(event)
    assert value == _avro_bytes(event)


@given(EVENTS)
@settings(max_examples=200)
def test_every_event_comes_back_as_it_was(event: Event) -> None:
    assert decode(encode(event)) == event


@pytest.mark.parametrize("kind", list(EventType))
def test_every_type_comes_back(kind: EventType) -> None:
    assert decode(encode(make_event(type=kind))).type == kind


@pytest.mark.parametrize("number", [0, -1, 63, 64, 2**34 - 1, 2**34, 2**41 - 1, 2**41, 2**63 - 1])
def test_times_at_the_edges_of_their_width_are_written_as_avro_does(number: int) -> None:
    event = make_event(received_at_ms=number, sent_at_ms=-number)

    assert encode(event) == _avro_bytes(event)
    assert decode(encode(event)) == event


@pytest.mark.parametrize("length", [63, 64, 8191, 8192, 2**20])
def test_texts_at_the_edges_of_their_length_are_written_as_avro_does(length: int) -> None:
    event = make_event(properties="x" * length, user_id="y" * length)

    assert encode(event) == _avro_bytes(event)
    assert decode(encode(event)) == event


@pytest.mark.parametrize(
    "event",
    [
        make_event(properties='{"a": "\ud800"}'),
        make_event(user_id="\udfff"),
        make_event(type="nonsense"),
        make_event(received_at_ms=2**63),
        make_event(sent_at_ms=-(2**63) - 1),
    ],
    ids=["surrogate", "optional-surrogate", "type", "long", "optional-long"],
)
def test_what_the_schema_cannot_hold_is_not_encoded(event: Event) -> None:
    with pytest.raises(ValueError, match=r"surrogates|symbol|Avro long"):
        encode(event)


def test_a_key_of_another_size_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="a fixed of 16 bytes has 15"):
        encode(replace(make_event(), key=EventKey(bytes(15))))


def test_an_unknown_fingerprint_stops_the_reader_and_names_it() -> None:
    with pytest.raises(UnknownSchema, match="0102030405060708") as told:
        decode(b"\xc3\x01" + bytes(range(1, 9)) + encode(make_event())[10:])

    assert told.value.fingerprint == "0102030405060708"


@pytest.mark.parametrize("value", [b"", b"\xc3", b"\xc3\x01", HEADER[:9], b"{}", b"\0" * 64])
def test_bytes_without_the_marker_are_undecodable(value: bytes) -> None:
    with pytest.raises(UndecodableRecord, match="marker"):
        decode(value)


@given(SMALL_EVENTS, st.data())
def test_every_truncation_is_undecodable(event: Event, data: st.DataObject) -> None:
    value = encode(event)
    kept = data.draw(st.integers(len(HEADER), len(value) - 1))

    for read in (decode, decode_head):
        with pytest.raises(UndecodableRecord):
            read(value[:kept])


@given(SMALL_EVENTS, st.binary(min_size=1, max_size=20))
def test_bytes_left_after_the_datum_are_undecodable(event: Event, rest: bytes) -> None:
    for read in (decode, decode_head):
        with pytest.raises(UndecodableRecord):
            read(encode(event) + rest)


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_garbage_is_undecodable_or_an_event_and_never_another_error(garbage: bytes) -> None:
    try:
        event = decode(HEADER + garbage)
    except UndecodableRecord:
        return
    assert isinstance(event, Event)


@given(SMALL_EVENTS, st.data())
@settings(max_examples=500)
def test_a_damaged_byte_is_read_as_fastavro_reads_it_or_refused(
    event: Event, data: st.DataObject
) -> None:
    value = bytearray(encode(event))
    at = data.draw(st.integers(len(HEADER), len(value) - 1))
    value[at] = data.draw(st.integers(0, 255))

    try:
        read = decode(bytes(value))
    except UndecodableRecord:
        return
    assert list(_datum(read).values()) == _fastavro_values(bytes(value))


@given(EVENTS)
def test_a_head_is_that_of_the_event(event: Event) -> None:
    assert decode_head(encode(event)) == _head(event)


@given(SMALL_EVENTS, st.data())
@settings(max_examples=500)
def test_a_damaged_head_is_that_of_the_event_or_refused_with_it(
    event: Event, data: st.DataObject
) -> None:
    """Only text that is not needed may be no UTF-8."""
    value = bytearray(encode(event))
    at = data.draw(st.integers(len(HEADER), len(value) - 1))
    value[at] = data.draw(st.integers(0, 255))

    try:
        head = decode_head(bytes(value))
    except UndecodableRecord:
        with pytest.raises(UndecodableRecord):
            decode(bytes(value))
        return
    whole = _decoded_or_error(bytes(value))
    if isinstance(whole, Event):
        assert head == _head(whole)
    else:
        assert isinstance(whole, UnicodeDecodeError)


def _decoded_or_error(value: bytes) -> Event | BaseException | None:
    """The event, or what lies at the bottom of its refusal."""
    try:
        return decode(value)
    except UndecodableRecord as exc:
        return exc.__cause__ and exc.__cause__.__cause__


def _head(event: Event) -> EventHead:
    return EventHead(event.key, event.project, event.event, event.received_at_ms)


def _damaged(at: int, inserted: bytes, *, removed: int = 1) -> bytes:
    value = encode(make_event(id="i", event="e"))
    return value[:at] + inserted + value[at + removed :]


@pytest.mark.parametrize(
    "value",
    [
        _damaged(26, b"\x01"),
        _damaged(26, b"\xff" * 10 + b"\x01"),
        _damaged(26, b"\xfe" * 9 + b"\x7f"),
        _damaged(26, b"\x08\xff", removed=2),
        _damaged(FIRST_LONG_AT - 1, b"\x0c"),
        _damaged(FIRST_LONG_AT - 1, b"\x01"),
        _damaged(FIRST_LONG_AT, b"\xff" * 11, removed=6),
        _damaged(FIRST_LONG_AT + 12, b"\x04"),
    ],
    ids=[
        "negative length",
        "number of 11 bytes",
        "number of 66 bits",
        "no UTF-8 in the project",
        "enum too high",
        "enum below 0",
        "endless time",
        "no such branch",
    ],
)
def test_each_kind_of_damage_is_undecodable(value: bytes) -> None:
    for read in (decode, decode_head):
        with pytest.raises(UndecodableRecord, match="schema event v1"):
            read(value)

"""The admission rules, row by row."""

import json
from typing import Any

import pytest

from access.problems import Code
from feed.event import event_key
from ingest.domain import FIRST_TIMESTAMP_MS, MAX_AHEAD_MS, MAX_EVENT_BYTES, Admitted, Rejected
from ingest.domain import admit as admit_row
from ingest.identifiers import make_id, time_in_id
from tests.builders import NOON_MS
from tests.ingest_builders import UUID7_AT_NOON, make_frame, make_row_text


def admitted(row: bytes, **frame: Any) -> Admitted:
    verdict = admit_row(row, make_frame(**frame))
    assert isinstance(verdict, Admitted), verdict
    return verdict


def rejected(row: bytes, **frame: Any) -> tuple[Code, str | None]:
    verdict = admit_row(row, make_frame(**frame))
    assert isinstance(verdict, Rejected), verdict
    return verdict.code, verdict.field


def test_a_whole_event_is_carried_as_it_was_written() -> None:
    row = (
        b'{"event":"order.paid","id":"o-1","type":"page","user_id":"u1","anonymous_id":"a1",'
        b'"session_id":"s1","timestamp":"2026-11-01T13:00:00.0009+01:00",'
        b'"properties":{"a": 1.50, "b":"\\u00e9"},"context":{"c":[1,{"d":null}]}}'
    )
    verdict = admitted(row)
    event, warnings, unknown = verdict.event, verdict.warnings, verdict.unknown
    assert (event.event, event.id, event.type) == ("order.paid", "o-1", "page")
    assert (event.user_id, event.anonymous_id, event.session_id) == ("u1", "a1", "s1")
    assert (event.occurred_at_ms, event.received_at_ms) == (NOON_MS, NOON_MS)
    assert event.key == event_key("demo", "o-1", NOON_MS)
    assert event.properties == '{"a": 1.50, "b":"\\u00e9"}'
    assert event.context == '{"c":[1,{"d":null}]}'
    assert (warnings, unknown) == ((), None)


def test_an_event_needs_neither_a_person_nor_properties() -> None:
    event = admitted(b'{"event":"tick","id":"1","timestamp":1793534400000}').event
    assert (event.user_id, event.anonymous_id, event.type) == (None, None, "track")
    assert (event.properties, event.context) == ("{}", "{}")


def test_null_stands_for_a_member_that_is_not_given() -> None:
    names = ("type", "user_id", "anonymous_id", "session_id", "properties", "context")
    plain = admitted(make_row_text()).event
    assert admitted(make_row_text(**dict.fromkeys(names))).event == plain


@pytest.mark.parametrize(
    ("members", "code", "field"),
    [
        ({"event": None}, "missing_event", "event"),
        ({"event": ""}, "invalid_event", "event"),
        ({"event": "e" * 201}, "invalid_event", "event"),
        ({"event": 7}, "invalid_event", "event"),
        ({"event": "a\0b"}, "invalid_event", "event"),
        ({"event": "\ud800"}, "invalid_event", "event"),
        ({"event": [[[]]]}, "invalid_event", "event"),
        ({"id": ""}, "invalid_id", "id"),
        ({"id": "i" * 129}, "invalid_id", "id"),
        ({"id": 1}, "invalid_id", "id"),
        ({"id": "a\0"}, "invalid_id", "id"),
        ({"type": "click"}, "invalid_event", "type"),
        ({"user_id": 5}, "invalid_event", "user_id"),
        ({"user_id": ""}, "invalid_event", "user_id"),
        ({"anonymous_id": "a" * 513}, "invalid_event", "anonymous_id"),
        ({"session_id": {}}, "invalid_event", "session_id"),
        ({"timestamp": True}, "invalid_timestamp", "timestamp"),
        ({"timestamp": 1.5e12}, "invalid_timestamp", "timestamp"),
        ({"timestamp": "yesterday"}, "invalid_timestamp", "timestamp"),
        ({"timestamp": "2026-11-01T12:00:00"}, "invalid_timestamp", "timestamp"),
        ({"timestamp": 1_793_534_400}, "invalid_timestamp", "timestamp"),
        ({"timestamp": 10**40}, "invalid_timestamp", "timestamp"),
        ({"timestamp": FIRST_TIMESTAMP_MS - 1}, "invalid_timestamp", "timestamp"),
        ({"timestamp": NOON_MS + MAX_AHEAD_MS + 1}, "timestamp_in_future", "timestamp"),
        ({"properties": []}, "invalid_properties", "properties"),
        ({"properties": "x"}, "invalid_properties", "properties"),
        ({"context": 1}, "invalid_properties", "context"),
        ({"properties": {"a": {"": 1}}}, "invalid_properties", "properties.a"),
        ({"properties": {"a": [0, 2**64]}}, "invalid_properties", "properties.a.1"),
        ({"context": {"a": "\0"}}, "invalid_properties", "context.a"),
        ({"context": {"a": "\udfff"}}, "invalid_properties", "context.a"),
    ],
)
def test_each_broken_rule_has_its_code_and_field(
    members: dict[str, Any], code: str, field: str
) -> None:
    assert rejected(make_row_text(**members)) == (code, field)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"event":"a"', "invalid_json"),
        (b'{"event":"a",}', "invalid_json"),
        (b'{"event":"a"} x', "invalid_json"),
        (b'{"event":"a","x":01}', "invalid_json"),
        (b'{"event":"a\x01"}', "invalid_json"),
        (b'{"\xff":1,"event":"a"}', "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"[" * 4000, "invalid_event"),
        (b"null", "invalid_event"),
        (b"[]", "invalid_event"),
        (b'"event"', "invalid_event"),
        (b"{}", "missing_event"),
        (b'{"event":"caf\xe9"}', "invalid_event"),
        (b'{"event":"a","properties":{"b":"\xff"}}', "invalid_properties"),
        (b'{"event":"a","properties":{"b":1e999}}', "invalid_properties"),
        (b'{"event":"a","properties":{"b":-1e999}}', "invalid_properties"),
        (b'{"event":"a","properties":{"b":%s}}' % (b"9" * 5000), "invalid_properties"),
        (b'{"event":"a","properties":{"b":1,"b":2}}', "invalid_properties"),
        (b'{"event":"a","properties":%s}' % (b"[" * 9000 + b"]" * 9000), "invalid_properties"),
        (b'{"event":%s}' % (b"[" * 9000 + b"]" * 9000), "invalid_event"),
    ],
)
def test_bytes_that_are_no_event_are_refused(row: bytes, code: str) -> None:
    assert rejected(row)[0] == code


def test_an_event_may_have_32_kilobytes_and_no_more() -> None:
    empty = len(make_row_text(properties={"a": ""}))
    full = make_row_text(properties={"a": "x" * (MAX_EVENT_BYTES - empty)})
    assert len(full) == 32 * 1024
    admitted(full)
    assert rejected(full + b" ") == ("event_too_large", None)


def test_lengths_count_characters_not_bytes() -> None:
    assert admitted(make_row_text(event="é" * 200, id="漢" * 128)).event.id == "漢" * 128


def test_times_at_the_edges_of_the_admitted_range_are_kept() -> None:
    for edge in (FIRST_TIMESTAMP_MS, NOON_MS + MAX_AHEAD_MS):
        assert admitted(make_row_text(timestamp=edge)).event.occurred_at_ms == edge


def test_properties_may_nest_20_deep_and_no_deeper() -> None:
    assert admitted(b'{"event":"a","properties":{"a":%s}}' % (b"[" * 19 + b"]" * 19))
    deep = b'{"event":"a","properties":{"a":%s}}' % (b"[" * 20 + b"]" * 20)
    assert rejected(deep)[0] == "invalid_properties"


def test_an_unknown_name_is_a_warning_and_is_left_out() -> None:
    verdict = admitted(make_row_text(colour="red"))
    assert verdict.warnings == (Code.UNKNOWN_FIELD,)
    assert verdict.unknown == "colour"
    assert verdict.event == admitted(make_row_text()).event


def test_weak_id_comes_before_an_unknown_field() -> None:
    verdict = admitted(b'{"event":"a","colour":1}')
    assert verdict.warnings == (Code.WEAK_ID, Code.UNKNOWN_FIELD)


@pytest.mark.parametrize(
    "row",
    [
        make_row_text(id=None),
        make_row_text(timestamp=None),
        make_row_text(id=None, timestamp=None),
        make_row_text(id="01ffffff-5c00-7abc-8def-0123456789ab", timestamp=None),
        make_row_text(id="00000000-0001-7abc-8def-0123456789ab", timestamp=None),
        make_row_text(id=UUID7_AT_NOON.replace("-7", "-4", 1), timestamp=None),
        make_row_text(id=UUID7_AT_NOON.replace("-", ""), timestamp=None),
    ],
)
def test_a_key_that_the_request_does_not_determine_is_weak(row: bytes) -> None:
    verdict = admitted(row)
    event, warnings = verdict.event, verdict.warnings
    assert warnings == (Code.WEAK_ID,)
    again = make_row_text(id=event.id, timestamp=event.occurred_at_ms)
    later = admitted(again, now_ms=NOON_MS + 3_600_000)
    assert later.event.key == event.key
    assert later.warnings == ()


@pytest.mark.parametrize("event_id", [UUID7_AT_NOON, UUID7_AT_NOON.upper()])
def test_a_usable_uuid7_gives_the_time_when_no_timestamp_does(event_id: str) -> None:
    verdict = admitted(make_row_text(id=event_id, timestamp=None))
    event, warnings = verdict.event, verdict.warnings
    assert event.occurred_at_ms == time_in_id(UUID7_AT_NOON) == 0x019A3F2C5C00
    assert event.id == event_id
    assert warnings == ()


def test_the_timestamp_wins_over_the_time_in_the_id() -> None:
    assert admitted(make_row_text(id=UUID7_AT_NOON)).event.occurred_at_ms == NOON_MS


def test_ids_that_we_make_carry_their_time_and_differ() -> None:
    made = {make_id(NOON_MS) for _ in range(100)}
    assert len(made) == 100
    assert {time_in_id(each) for each in made} == {NOON_MS}


def test_a_refused_row_still_says_its_id() -> None:
    verdict = admit_row(make_row_text(id="mine", properties=[]), make_frame())
    assert isinstance(verdict, Rejected)
    assert verdict.event_id == "mine"


def test_line_breaks_between_tokens_become_spaces() -> None:
    row = b'{"event":"a","properties":{\r\n "x": "y\\n"\n}}'
    assert admitted(row).event.properties == '{   "x": "y\\n" }'


def test_an_unknown_name_is_shown_to_a_bound() -> None:
    verdict = admitted(json.dumps({"event": "a", "x" * 3000: 1}).encode())
    assert verdict.unknown == "x" * 200


def test_only_an_import_takes_back_what_an_export_adds() -> None:
    added = {"received_at": NOON_MS - 5, "sent_at": "2026-11-01T11:59:59Z", "transport": "beacon"}
    row = make_row_text(**added)
    taken = admitted(row, takes_back=True)
    assert taken.warnings == ()
    assert taken.event.received_at_ms == NOON_MS - 5
    assert taken.event.sent_at_ms == NOON_MS - 1000
    assert taken.event.transport == "beacon"
    over_http = admitted(row)
    assert over_http.warnings == (Code.UNKNOWN_FIELD,)
    assert (over_http.event.received_at_ms, over_http.event.transport) == (NOON_MS, "rest")


@pytest.mark.parametrize(
    ("members", "code", "field"),
    [
        ({"received_at": "x"}, "invalid_timestamp", "received_at"),
        ({"received_at": NOON_MS + MAX_AHEAD_MS + 1}, "timestamp_in_future", "received_at"),
        ({"sent_at": "x"}, "invalid_timestamp", "sent_at"),
        ({"transport": 1}, "invalid_event", "transport"),
    ],
)
def test_what_an_import_takes_back_is_checked(
    members: dict[str, Any], code: str, field: str
) -> None:
    assert rejected(make_row_text(**members), takes_back=True) == (code, field)


def test_an_import_takes_what_an_export_made_of_the_largest_event() -> None:
    empty = len(make_row_text(properties={"a": ""}))
    row = make_row_text(
        properties={"a": "x" * (MAX_EVENT_BYTES - empty)},
        received_at="2026-11-01T12:00:00.000Z",
        sent_at="2026-11-01T12:00:00.000Z",
        transport="rest",
    )
    assert admitted(row, takes_back=True)

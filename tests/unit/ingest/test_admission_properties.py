"""Admission against anything at all, and against a second, plain reading of the same rules."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.codec import decode, encode
from ingest import json_rules
from ingest.domain import Admitted, Rejected, admit
from tests.ingest_builders import make_frame

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["\0", "\ud800", "a:b", '":', "\\u0000", "\n", "x" * 201])
)
NAMES = st.text(max_size=4) | st.sampled_from(["", "\0", "\ud800", "n" * 200, "n" * 201, '":'])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "event": VALUES | st.text(min_size=1, max_size=5),
        "id": VALUES | st.text(min_size=1, max_size=5),
        "type": st.sampled_from(["track", "page", "x"]) | SCALARS,
        "user_id": SCALARS,
        "timestamp": st.datetimes().map(lambda moment: moment.isoformat() + "Z") | SCALARS,
        "properties": OBJECTS | VALUES,
        "context": OBJECTS,
        "more": VALUES,
    },
)
FRAGMENTS = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b",", b":", b'"', b'"event"', b'"a"', b"\\u0000", b"\\ud800"]
        + [b"1e999", b"-", b"0", b"9" * 30, b"true", b"nul", b" ", b"\n", b"\xff", b'{"a":1}']
    ),
    max_size=14,
).map(b"".join)


def keeps_every_rule(value: Any, depth: int = 1) -> bool:
    """The rules once more, as plainly as they can be written, on parsed JSON."""
    if isinstance(value, str):
        return all(char != "\0" and not 0xD800 <= ord(char) <= 0xDFFF for char in value)
    if isinstance(value, dict):
        names_are_good = all(1 <= len(name) <= 200 and keeps_every_rule(name) for name in value)
        return names_are_good and keeps_every_rule([*value.values()], depth)
    if isinstance(value, list):
        return depth <= 20 and all(keeps_every_rule(part, depth + 1) for part in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return -(2**63) <= value < 2**64
    return True


@given(OBJECTS, st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:  ")]), st.booleans())
def test_both_checks_agree_with_the_rules(
    value: dict[str, Any], separators: tuple[str, str], ascii_only: bool
) -> None:
    dumped = json.dumps(value, separators=separators, ensure_ascii=ascii_only)
    text = dumped.encode(errors="surrogatepass")
    expected = keeps_every_rule(value)
    assert (json_rules.fault_in(text) is None) == expected
    assert (json_rules._careful_fault(text) is None) == expected


@given(FRAGMENTS | st.binary(max_size=40))
def test_the_quick_checks_pass_nothing_that_the_careful_one_refuses(text: bytes) -> None:
    assert json_rules.fault_in(text) == json_rules._careful_fault(text)


@given(FRAGMENTS | st.binary(max_size=60) | EVENTS.map(lambda e: json.dumps(e).encode()))
@settings(max_examples=400)
def test_admission_answers_whatever_comes(row: bytes) -> None:
    verdict = admit(row, make_frame())
    assert isinstance(verdict, Admitted | Rejected)
    if isinstance(verdict, Rejected):
        assert verdict.code
        msgspec.json.encode(verdict)  # field and id can be answered


@given(EVENTS)
@settings(max_examples=400)
def test_whatever_is_admitted_comes_back_from_its_record(members: dict[str, Any]) -> None:
    verdict = admit(json.dumps(members).encode(), make_frame())
    if not isinstance(verdict, Admitted):
        return
    event = verdict.event
    assert decode(encode(event)) == event
    for text, name in ((event.properties, "properties"), (event.context, "context")):
        given_value = members.get(name) or {}
        assert msgspec.json.decode(text) == json.loads(text) == given_value

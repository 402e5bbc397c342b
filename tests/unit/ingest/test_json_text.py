"""Splitting arrays and objects without reading what is inside."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.json_text import (
    InvalidJson,
    NotAnArray,
    NotAnObject,
    TooManyElements,
    _scanned_elements,
    _scanned_members,
    members,
)
from ingest.json_text import elements as elements_at_most

DEEP = b"[" * 3000 + b"]" * 3000
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(['"', "\\", "],[", "{,}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


def elements(text: bytes) -> list[bytes]:
    return elements_at_most(text, at_most=10_000_000)


def test_more_elements_than_asked_for_are_counted() -> None:
    assert len(elements_at_most(b"[1,2,3]", at_most=3)) == 3
    with pytest.raises(TooManyElements, match="3 elements"):
        elements_at_most(b"[1,2,3]", at_most=2)


def test_elements_are_the_text_as_it_stands() -> None:
    assert elements(b' [ {"a" : 1} ,[2], "x,]" ,3 ] ') == [b'{"a" : 1}', b"[2]", b'"x,]"', b"3"]
    assert elements(b"[]") == elements(b"[ ]") == []


def test_members_are_the_text_as_it_stands() -> None:
    assert members(b'{"a": [1, 2] , "\\u0062":{"c":1}}') == {"a": b"[1, 2]", "b": b'{"c":1}'}
    assert members(b"{}") == {}


@pytest.mark.parametrize(
    "part",
    [DEEP, b'"\\ud800"', b'"\\udc00\\ud800"', b'["\\ud800 ",%s]' % DEEP, b'[%s,"\\ud800"]' % DEEP],
)
def test_a_part_that_msgspec_gives_up_on_leaves_its_neighbours_readable(part: bytes) -> None:
    assert elements(b'[1, %s ,{"a":"],["}]' % part) == [b"1", part, b'{"a":"],["}']
    assert members(b'{"a":1, "b" : %s ,"c":[]}' % part) == {"a": b"1", "b": part, "c": b"[]"}


def test_of_a_name_that_comes_twice_the_last_value_counts_around_a_surrogate_too() -> None:
    text = b'{"a":1,"b":"\\ud800","a":[2],"c":3}'
    assert members(text) == {"a": b"[2]", "b": b'"\\ud800"', "c": b"3"}


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b'"",' * 1_600_000 + DEEP + b"]",
        b"[" + b'[{"":' * 500_000 + b"1" + b"}]" * 500_000 + b"]",
        b'["\\ud800",' + b'"a\\' * 1_000_000,
        b'["\\ud800",' + b'"' * 5_000_000,
        b"[" + DEEP + b',"' + b"\\" * 5_000_000,
        b"[" + DEEP + b',"a\\' * 1_000_000,
    ],
)
def test_hostile_texts_are_given_up_on(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        elements(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nope",
        b"[",
        b"]",
        b"[1",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[1]]",
        b"[1][2]",
        b"[1}",
        b'["a]',
        b"[01]",
        b"[tru]",
        b"{1]",
        b"[" * 3000,
        b"[1,,%s]" % DEEP,
        b"[%s,,1]" % DEEP,
        b"[%s,nope]" % DEEP,
        b"[%s}" % DEEP,
        b"[%s" % DEEP,
        b"[nope,%s]" % DEEP,
        b'["\\ud800",nope]',
    ],
)
def test_what_is_no_json_array_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        elements(text)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'{"a"}', b'{"a":}', b'{"a":1,}', b"{a:1}", b'{"a":1}}', b'{"\xff":1}']
    + [b'{"a":%s,"b"}' % DEEP, b"{1:%s}" % DEEP, b'{"\\ud800":1}', b'{"a":%s' % DEEP]
    + [b'{"a":%s,"\\ud800":1}' % DEEP, b'{"a":%s,"\xff":1}' % DEEP, b'{"a":%s,}' % DEEP],
)
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        members(text)


def test_other_json_is_told_apart() -> None:
    for text in (b"{}", b"5", b'"["', b'{"a":%s}' % DEEP):
        with pytest.raises(NotAnArray):
            elements(text)
    for text in (b"[]", b"null", DEEP):
        with pytest.raises(NotAnObject):
            members(text)


@given(st.dictionaries(st.text("ab", max_size=2), JSON, max_size=4), st.sampled_from([None, 1]))
def test_members_around_a_surrogate_are_the_text_as_it_stands(
    value: dict[str, Any], indent: int | None
) -> None:
    text = json.dumps({**value, "s": "\ud800"}, indent=indent).encode()
    assert members(text) == {**_scanned_members(text)}


@given(st.lists(JSON, max_size=4), st.sampled_from([None, 1]))
def test_the_slow_scan_splits_arrays_as_the_fast_one_does(
    value: list[Any], indent: int | None
) -> None:
    text = json.dumps(value, indent=indent).encode()
    assert _scanned_elements(text) == elements(text)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.sampled_from([None, 1]))
def test_the_slow_scan_splits_objects_as_the_fast_one_does(
    value: dict[str, Any], indent: int | None
) -> None:
    text = json.dumps(value, indent=indent).encode(errors="surrogatepass")
    assert _scanned_members(text) == members(text)

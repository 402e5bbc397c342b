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
    _scanned_elements,
    _scanned_members,
    elements,
    members,
)

DEEP = b"[" * 3000 + b"]" * 3000
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(['"', "\\", "],[", "{,}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


def test_elements_are_the_text_as_it_stands() -> None:
    assert elements(b' [ {"a" : 1} ,[2], "x,]" ,3 ] ') == [b'{"a" : 1}', b"[2]", b'"x,]"', b"3"]
    assert elements(b"[]") == elements(b"[ ]") == []


def test_members_are_the_text_as_it_stands() -> None:
    assert members(b'{"a": [1, 2] , "\\u0062":{"c":1}}') == {"a": b"[1, 2]", "b": b'{"c":1}'}
    assert members(b"{}") == {}


@pytest.mark.parametrize("part", [DEEP, b'"\\ud800"', b'"\\udc00\\ud800"'])
def test_a_part_that_msgspec_gives_up_on_leaves_its_neighbours_readable(part: bytes) -> None:
    assert elements(b'[1, %s ,{"a":"],["}]' % part) == [b"1", part, b'{"a":"],["}']
    assert members(b'{"a":1, "b" : %s ,"c":[]}' % part) == {"a": b"1", "b": part, "c": b"[]"}


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
    + [b'{"a":%s,"b"}' % DEEP, b"{1:%s}" % DEEP, b'{"\\ud800":1}', b'{"a":%s' % DEEP],
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

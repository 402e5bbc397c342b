"""Compiled constructors make what the class's own makes."""

import pytest

from feed.ports import Record
from feed.slot_builder import compile_builder


def test_a_built_object_equals_a_constructed_one() -> None:
    record = Record("events", 1, 2, 3, b"k", b"v", (("lane", b"live"),))

    built = compile_builder(Record)("events", 1, 2, 3, b"k", b"v", (("lane", b"live"),))

    assert built == record
    assert hash(built) == hash(record)
    assert repr(built) == repr(record)


def test_a_field_left_out_is_an_error() -> None:
    with pytest.raises(TypeError, match="offset"):
        compile_builder(Record)("events", 1)

"""The compiler beyond the event's own schema: numbers in full, and schemas it does not know."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.avro_compiler import (
    Malformed,
    compile_decoder,
    compile_encoder,
    long_at,
    long_bytes,
)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_long_comes_back(number: int) -> None:
    assert long_at(b"?" + long_bytes(number), 1) == (number, 1 + len(long_bytes(number)))


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_number_beyond_64_bits_is_no_long(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        long_bytes(number)


@given(st.none() | st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_plain_longs_need_no_logical_type(optional: int | None, number: int) -> None:
    schema = {"fields": [{"type": ["null", "long"]}, {"type": "long"}]}
    encode = compile_encoder(schema, ["a", "b"], header=b"!")
    decode = compile_decoder(schema, lambda *values: values, start=1)

    assert decode(encode(SimpleNamespace(a=optional, b=number))) == (optional, number)


@pytest.mark.parametrize("kind", ["double", {"type": "array", "items": "string"}, ["null", "int"]])
def test_a_type_that_the_compiler_does_not_know_is_refused_at_once(kind: object) -> None:
    schema = {"fields": [{"type": kind}]}

    with pytest.raises(ValueError, match="does not know"):
        compile_encoder(schema, ["a"], header=b"")
    with pytest.raises(ValueError, match="does not know"):
        compile_decoder(schema, lambda *values: values, start=0)


def test_a_second_enum_is_refused_at_once() -> None:
    enum = {"type": {"type": "enum", "symbols": ["a"]}}

    with pytest.raises(ValueError, match="one enum"):
        compile_encoder({"fields": [enum, enum]}, ["a", "b"], header=b"")


def test_a_datum_that_breaks_off_is_malformed() -> None:
    decode = compile_decoder({"fields": [{"type": "long"}]}, lambda *values: values, start=0)

    with pytest.raises(Malformed):
        decode(b"\x80")

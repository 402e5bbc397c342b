"""Inflating and the query parameters."""

import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.problems import Problem
from ingest.api.bodies import MAX_BATCH_BYTES, inflate
from ingest.api.parameters import Parameters, parse_parameters
from ingest.payloads import Level


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_all_members_of_a_gzip_body_are_read(parts: list[bytes]) -> None:
    assert inflate(b"".join(map(gzip.compress, parts))) == b"".join(parts)


def test_a_body_larger_than_a_step_is_read_whole() -> None:
    plain = random.Random(1).randbytes(400_000)
    assert inflate(gzip.compress(plain) + b"\0" * 100) == plain


@given(st.integers(min_value=1, max_value=40))
def test_a_body_cut_anywhere_is_refused(cut: int) -> None:
    packed = gzip.compress(b'{"event":"a","id":"0123456789"}')
    with pytest.raises(Problem) as caught:
        inflate(packed[: max(1, len(packed) - cut)])
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(b"{}") + b"rest", zlib.compress(b"{}"), gzip.compress(b"a")[:1]],
)
def test_what_is_not_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        inflate(body)
    assert caught.value.status == 400


def test_a_corrupted_checksum_is_refused() -> None:
    packed = bytearray(gzip.compress(b'{"event":"a"}'))
    packed[-6] ^= 1
    with pytest.raises(Problem) as caught:
        inflate(bytes(packed))
    assert caught.value.status == 400


def test_a_body_may_inflate_to_the_limit_and_no_further() -> None:
    assert len(inflate(gzip.compress(b" " * MAX_BATCH_BYTES))) == MAX_BATCH_BYTES
    with pytest.raises(Problem) as caught:
        inflate(gzip.compress(b" " * (MAX_BATCH_BYTES + 1)))
    assert (caught.value.status, caught.value.code) == (413, "payload_too_large")


def test_parameters_have_defaults_and_leave_other_names_alone() -> None:
    assert parse_parameters(b"") == parse_parameters(b"k=1&utm=x") == Parameters()
    assert Parameters() == Parameters(Level.LOGGED, 10.0, dry_run=False, summary=False)


def test_parameters_are_read() -> None:
    given = b"ack=projected&wait=2.5&dry_run=1&summary=true"
    assert parse_parameters(given) == Parameters(Level.PROJECTED, 2.5, dry_run=True, summary=True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("ack=", "ack"),
        ("ack=LOGGED", "ack"),
        ("wait=", "wait"),
        ("wait=-1", "wait"),
        ("wait=25.1", "wait"),
        ("wait=1e1", "wait"),
        ("wait=nan", "wait"),
        ("wait=%D9%A1", "wait"),
        ("dry_run=", "dry_run"),
        ("dry_run=yes", "dry_run"),
        ("summary=2", "summary"),
    ],
)
def test_a_wrong_parameter_is_named(query: str, field: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_parameters(query.encode())
    problem = caught.value
    assert (problem.status, problem.code) == (400, "invalid_query")
    assert [error.field for error in problem.errors] == [field]

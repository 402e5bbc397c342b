"""Dead letters as they travel: whole, cut where too long, and never anything else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.dead_letters import MAX_PAYLOAD_BYTES, DeadLetter, from_record, to_record

TEXTS = st.text(st.characters(codec="utf-8"), max_size=50)
OPTIONAL_TEXTS = st.none() | TEXTS
OPTIONAL_NUMBERS = st.none() | st.integers(0, 2**53)
LETTERS = st.builds(
    DeadLetter,
    id=TEXTS,
    stage=TEXTS,
    code=TEXTS,
    detail=TEXTS,
    at_ms=st.integers(0, 2**53),
    payload=st.binary(max_size=200),
    payload_bytes=st.integers(0, 2**40),
    project=OPTIONAL_TEXTS,
    field=OPTIONAL_TEXTS,
    event_key=OPTIONAL_TEXTS,
    event_id=OPTIONAL_TEXTS,
    request_id=OPTIONAL_TEXTS,
    index=OPTIONAL_NUMBERS,
    topic=OPTIONAL_TEXTS,
    partition=OPTIONAL_NUMBERS,
    offset=OPTIONAL_NUMBERS,
    headers=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3),
)


def _letter(payload: bytes) -> DeadLetter:
    return DeadLetter(
        id="l1",
        stage="ingest",
        code="missing_event",
        detail="the event has no name",
        at_ms=1,
        payload=payload,
        payload_bytes=len(payload),
    )


@given(LETTERS)
def test_a_letter_comes_back_as_it_was_written(letter: DeadLetter) -> None:
    record = to_record(letter)

    assert from_record(record.value) == letter
    assert record.key == letter.id.encode()


def test_a_long_payload_is_cut_and_its_full_size_kept() -> None:
    payload = bytes(range(256)) * 300

    read = from_record(to_record(_letter(payload)).value)

    assert read.payload == payload[:MAX_PAYLOAD_BYTES]
    assert read.payload_bytes == len(payload) > MAX_PAYLOAD_BYTES


def test_a_payload_of_exactly_the_limit_is_whole() -> None:
    payload = b"x" * MAX_PAYLOAD_BYTES

    assert from_record(to_record(_letter(payload)).value).payload == payload


@given(st.binary(max_size=100))
def test_garbage_is_not_a_letter(garbage: bytes) -> None:
    with pytest.raises(ValueError, match="not a dead letter"):
        from_record(garbage)


@pytest.mark.parametrize(
    "members",
    [
        1,
        None,
        [],
        "text",
        {},
        {"payload": 5},
        {"payload": "eA=="},
        {"payload": "not base64!"},
        {"payload": "eA==", "id": "x", "surprise": 1},
        {"payload": "é"},
    ],
    ids=str,
)
def test_json_that_is_no_letter_is_refused(members: object) -> None:
    with pytest.raises(ValueError, match="not a dead letter"):
        from_record(msgspec.json.encode(members))

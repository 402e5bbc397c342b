"""The event's key, its text form, its version and its hash."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.event import (
    EventKey,
    event_key,
    first_key_at,
    key_hash,
    key_text,
    key_time_ms,
    parse_key,
    record_version,
)

GOLDEN = json.loads((Path(__file__).parents[2] / "schemas" / "keys_golden.json").read_text())
TIMES = st.integers(0, 2**48 - 1)
IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=128)
PROJECTS = st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True)


@pytest.mark.parametrize("vector", GOLDEN["keys"], ids=lambda vector: vector["key"][-6:])
def test_keys_are_the_frozen_ones(vector: dict[str, str | int]) -> None:
    key = event_key(str(vector["project"]), str(vector["id"]), int(vector["occurred_at_ms"]))

    assert key.hex() == vector["key"]
    assert key_text(key) == vector["text"]


@pytest.mark.parametrize("vector", GOLDEN["versions"], ids=lambda vector: vector["version"])
def test_versions_and_hashes_are_the_frozen_ones(vector: dict[str, str | int]) -> None:
    version = record_version(int(vector["received_at_ms"]), bytes.fromhex(str(vector["value"])))

    assert version == vector["version"]
    assert key_hash(bytes.fromhex(str(vector["key"])), version) == vector["hash"]


@given(PROJECTS, IDS, TIMES)
def test_a_key_depends_on_nothing_but_its_arguments(project: str, id: str, time_ms: int) -> None:
    assert event_key(project, id, time_ms) == event_key(project, id, time_ms)


@given(PROJECTS, IDS, TIMES)
def test_a_key_is_a_uuid_of_version_8_that_carries_its_time(
    project: str, id: str, time_ms: int
) -> None:
    key = event_key(project, id, time_ms)

    assert len(key) == 16
    assert key_time_ms(key) == time_ms
    assert (key[6] >> 4, key[8] >> 6) == (8, 0b10)


@given(PROJECTS, IDS, IDS, TIMES, TIMES)
def test_keys_are_ordered_by_time(
    project: str, id: str, other_id: str, time_ms: int, other_ms: int
) -> None:
    earlier, later = sorted([time_ms, other_ms])

    if earlier < later:
        assert event_key(project, id, earlier) < event_key(project, other_id, later)
    assert first_key_at(earlier) < event_key(project, id, earlier)


@given(PROJECTS, IDS, TIMES)
def test_the_first_key_of_a_millisecond_bounds_it(project: str, id: str, time_ms: int) -> None:
    key = event_key(project, id, time_ms)

    assert first_key_at(time_ms) < key
    if time_ms < 2**48 - 1:
        assert key < first_key_at(time_ms + 1)


def test_project_and_id_do_not_run_into_each_other() -> None:
    assert event_key("ab", "c", 0) != event_key("a", "bc", 0)


@given(PROJECTS, IDS, TIMES)
def test_a_key_comes_back_from_its_text(project: str, id: str, time_ms: int) -> None:
    key = event_key(project, id, time_ms)

    assert len(key_text(key)) == 36
    assert parse_key(key_text(key)) == key
    assert parse_key(key_text(key).upper()) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "0190163d-8694-739b-aea5-966c26f8ad91",  # a UUIDv7
        "{0190163d-8694-839b-aea5-966c26f8ad91}",
        "0190163d8694839baea5966c26f8ad91",
        "0190163d-8694-839b-aea5-966c26f8ad9",
    ],
)
def test_what_key_text_never_wrote_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"UUID|not an event key"):
        parse_key(text)


@given(st.integers(0, 2**42), st.binary(max_size=64))
def test_a_version_grows_with_time_and_is_pure(received_at_ms: int, value: bytes) -> None:
    version = record_version(received_at_ms, value)

    assert version == record_version(received_at_ms, value)
    assert received_at_ms * 1000 <= version < (received_at_ms + 1) * 1000


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**53))
def test_a_key_hash_has_24_bits(key: bytes, version: int) -> None:
    assert 0 <= key_hash(EventKey(key), version) < 2**24

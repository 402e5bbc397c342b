"""Records of a replay say in their headers which one it is, and which generation they are for."""

import pytest

from feed.fences import NO_GENERATION, Origin, origin_of
from feed.ports import Headers, Record


def record(headers: Headers) -> Record:
    return Record("history", 0, 0, 0, b"", b"", headers)


@pytest.mark.parametrize("origin", [Origin("r1", 3), Origin("r1", 3, generation=12)])
def test_what_a_replay_says_of_a_record_is_read_back(origin: Origin) -> None:
    assert origin_of(record(origin.headers())) == origin


def test_a_record_for_all_generations_has_no_header_for_one() -> None:
    assert [name for name, _ in Origin("r1", 3).headers()] == ["lane", "replay"]


@pytest.mark.parametrize("epoch", [b"", b"r1", b"r1:", b"r1:x", "r1:²".encode(), b"r1:\xff"])
def test_a_record_that_no_replay_emitted_has_no_origin(epoch: bytes) -> None:
    assert origin_of(record((("replay", epoch),))) is None


@pytest.mark.parametrize("target", [b"", b"x", b"-1", b"\xff", b"9" * 5_000])
def test_a_target_that_cannot_be_read_is_no_generation_rather_than_all(target: bytes) -> None:
    headers = (("replay", b"r1:1"), ("generation", target))
    assert origin_of(record(headers)) == Origin("r1", 1, NO_GENERATION)

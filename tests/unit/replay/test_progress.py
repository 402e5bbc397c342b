"""Marks: how many events are projected, from positions alone."""

from hypothesis import given
from hypothesis import strategies as st

from replay.progress import MAX_MARKS, Mark, appended, as_json, from_json, standing

MARKS = (Mark(10, {0: 4}), Mark(30, {0: 9, 1: 20}), Mark(50, {0: 12, 1: 33}))


def test_nothing_is_projected_before_the_first_mark_is_passed() -> None:
    assert standing(MARKS, {0: 3, 1: 99}) == (0, MARKS)
    assert standing(MARKS, {}) == (0, MARKS)


def test_a_mark_needs_every_partition() -> None:
    assert standing(MARKS, {0: 9, 1: 19}) == (10, MARKS[1:])
    assert standing(MARKS, {0: 9, 1: 20}) == (30, MARKS[2:])


def test_past_the_last_mark_everything_is_projected() -> None:
    assert standing(MARKS, {0: 12, 1: 33}) == (50, ())


def test_positions_that_go_back_take_nothing_back() -> None:
    assert standing(MARKS[1:], {0: 0}, projected=10) == (10, MARKS[1:])


def test_marks_survive_their_row() -> None:
    assert from_json(as_json(MARKS)) == MARKS


@given(st.integers(1, 500), st.integers(0, 500))
def test_however_many_marks_come_they_stay_few_and_the_last_one_stays(
    count: int, position: int
) -> None:
    marks: tuple[Mark, ...] = ()
    for number in range(1, count + 1):
        marks = appended(marks, Mark(number * 10, {0: number}))

    assert len(marks) <= MAX_MARKS
    assert marks[-1] == Mark(count * 10, {0: count})
    projected, pending = standing(marks, {0: position})
    assert projected <= min(position, count) * 10
    assert bool(pending) == (position < count)


def test_however_much_is_on_its_way_progress_is_seen_in_small_steps() -> None:
    """A replay of a million that runs ahead showed none for 14 s, and held itself back for it."""
    marks: tuple[Mark, ...] = ()
    for number in range(1, 501):
        marks = appended(marks, Mark(number * 2_000, {0: number}))

    ends = [0, *(mark.emitted for mark in marks)]
    steps = [after - before for before, after in zip(ends, ends[1:], strict=False)]
    assert max(steps) <= 3 * 1_000_000 / MAX_MARKS

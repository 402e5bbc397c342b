"""Marks: how many events are projected, from positions alone."""

from hypothesis import given
from hypothesis import strategies as st

from replay.progress import MAX_MARKS, Mark, appended, as_json, from_json, standing

MARKS = (Mark(10, {0: 4}), Mark(30, {0: 9, 1: 20}), Mark(50, {0: 12, 1: 33}))


def test_nothing_is_projected_before_the_first_mark_is_passed() -> None:
    assert standing(MARKS, {0: 3, 1: 19}) == (0, MARKS)
    assert standing(MARKS, {}) == (0, MARKS)


def test_a_mark_needs_every_partition() -> None:
    assert standing(MARKS, {0: 9, 1: 19}) == (10 + 20 * 5 // 6, MARKS)


def test_shares_of_later_intervals_count_before_the_first_mark_is_passed() -> None:
    assert standing(MARKS, {0: 3, 1: 99}) == (20 * 1 // 6 + 20 * 13 // 16, MARKS)


def test_a_mark_that_is_passed_tells_exactly_and_stays_while_others_are_not() -> None:
    assert standing(MARKS, {0: 9, 1: 20}) == (30, MARKS[1:])


def test_between_two_marks_it_goes_by_the_records_that_are_passed() -> None:
    marks = (Mark(100, {0: 10, 1: 10}), Mark(200, {0: 20, 1: 40}), Mark(300, {0: 120, 1: 40}))
    assert standing(marks, {0: 20, 1: 10}).projected == 100 + 100 * 10 // 40
    assert standing(marks, {0: 70, 1: 10}).projected == 100 + 100 * 10 // 40 + 50
    assert standing(marks, {0: 70, 1: 10}, projected=199).projected == 199


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
    projected, telling = standing(marks, {0: position})
    assert projected <= min(position, count) * 10
    assert (projected == count * 10) == (position >= count)
    assert bool(telling) == (position < count)


def test_however_much_is_on_its_way_progress_is_seen_in_small_steps() -> None:
    """A replay of a million that runs ahead showed none for 14 s, and held itself back for it."""
    marks: tuple[Mark, ...] = ()
    for number in range(1, 501):
        marks = appended(marks, Mark(number * 2_000, {0: number}))

    ends = [0, *(mark.emitted for mark in marks)]
    steps = [after - before for before, after in zip(ends, ends[1:], strict=False)]
    assert max(steps) <= 3 * 1_000_000 / MAX_MARKS


positions = st.integers(0, 40)
emissions = st.tuples(st.integers(1, 50), positions, positions)
commits = st.tuples(positions, positions)


@given(st.lists(st.one_of(emissions, commits), max_size=150))
def test_progress_only_grows_and_says_all_when_all_is_passed_and_not_before(
    happens: list[tuple[int, ...]],
) -> None:
    """Emitted and looked at in any order, as a replayer does."""
    marks: tuple[Mark, ...] = ()
    emitted, projected = 0, 0
    ends, stood = [0, 0], [0, 0]
    for each in happens:
        before = projected
        if len(each) == 3:
            emitted, ends = emitted + each[0], [ends[0] + each[1], ends[1] + each[2]]
            held = {partition: end for partition, end in enumerate(ends) if end}
            marks = appended(marks, Mark(emitted, held))
        else:
            stood = [min(at + more, end) for at, more, end in zip(stood, each, ends, strict=True)]
        projected, marks = standing(marks, {0: stood[0], 1: stood[1]}, projected=before)
        assert before <= projected <= emitted
        assert (projected == emitted) == (not marks) == (stood == ends)

"""Whose turn it is: live first, history never starved. Time is passed in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.lanes import (
    FEWEST_RECORDS,
    FLOOR_BATCHES,
    FLOOR_INTERVAL_S,
    HISTORY_TURN_S,
    LIVE_LAG_LIMIT_S,
    MOST_CHANGE,
    PROBE_INTERVAL_S,
    LaneSchedule,
)

BEHIND_S = LIVE_LAG_LIMIT_S + 1


def run(
    schedule: LaneSchedule,
    *,
    turns: int,
    turn_s: float,
    live_records: int = 100,
    live_lag_s: float = BEHIND_S,
    history_records: int = 100,
) -> str:
    """So many turns of `turn_s` each, lanes always finding what is given; L and H in order."""
    order, now_s = "", 0.0
    for _ in range(turns):
        is_history = schedule.is_history_next(now_s=now_s)
        now_s += turn_s
        if is_history:
            found = history_records
            schedule.note_history(
                records=found, committed=found, started_s=now_s - turn_s, now_s=now_s
            )
        else:
            schedule.note_live(records=live_records, lag_s=live_lag_s)
        order += "H" if is_history else "L"
    return order


def test_the_first_turn_is_live() -> None:
    assert not LaneSchedule().is_history_next(now_s=0.0)


def test_with_live_idle_history_has_every_other_turn() -> None:
    assert run(LaneSchedule(), turns=8, turn_s=0.1, live_records=0) == "LHLHLHLH"


def test_with_live_busy_but_near_the_lanes_take_turns() -> None:
    order = run(LaneSchedule(), turns=8, turn_s=0.1, live_lag_s=LIVE_LAG_LIMIT_S - 0.1)
    assert order == "LHLHLHLH"


def test_with_live_behind_history_gets_one_batch_in_eleven() -> None:
    order = run(LaneSchedule(), turns=23 + FLOOR_BATCHES, turn_s=0.01)
    assert order.lstrip("LH").count("H") == 0
    after_first = order[order.index("H") + 1 :]
    assert after_first.startswith("L" * FLOOR_BATCHES + "H" + "L" * FLOOR_BATCHES + "H")


def test_with_live_behind_and_slow_history_gets_a_turn_by_time() -> None:
    order = run(LaneSchedule(), turns=12, turn_s=FLOOR_INTERVAL_S / 2)
    assert order[order.index("H") :] in "HLLHLLHLLHLLHLLHLL"


def test_an_empty_history_is_looked_at_no_more_often_than_its_interval() -> None:
    turn_s = PROBE_INTERVAL_S / 10
    order = run(LaneSchedule(), turns=60, turn_s=turn_s, live_lag_s=0.0, history_records=0)
    assert order.count("H") == pytest.approx(60 * turn_s / PROBE_INTERVAL_S, abs=1)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(0, 60), st.floats(0.001, 3)), min_size=1, max_size=80
    )
)
def test_whatever_live_does_history_with_work_waits_no_longer_than_its_floor(
    live_turns: list[tuple[bool, float, float]],
) -> None:
    schedule = LaneSchedule()
    now_s = history_ended_s = 0.0
    batches = 0
    schedule.note_history(records=100, committed=100, started_s=now_s, now_s=now_s)
    for is_busy, lag_s, turn_s in live_turns:
        assert not schedule.is_history_next(now_s=now_s) or schedule.was_live
        now_s += turn_s
        schedule.note_live(records=int(is_busy), lag_s=lag_s)
        batches += is_busy
        if schedule.is_history_next(now_s=now_s):
            schedule.note_history(records=100, committed=100, started_s=now_s, now_s=now_s)
            history_ended_s, batches = now_s, 0
        assert now_s - history_ended_s < FLOOR_INTERVAL_S
        assert batches < FLOOR_BATCHES


def test_history_never_has_two_turns_in_a_row() -> None:
    schedule = LaneSchedule()
    schedule.note_history(records=100, committed=100, started_s=0.0, now_s=0.0)
    assert not schedule.is_history_next(now_s=1_000.0)


MOST = 4_000


def turns_of_history(*, per_s: float, fixed_s: float, turns: int, live_records: int) -> list[int]:
    """The sizes of so many turns on a store that takes `fixed_s` and then `per_s` records a
    second."""
    schedule, sizes = LaneSchedule(MOST), []
    for _ in range(turns):
        schedule.note_live(records=live_records, lag_s=0.0)
        sizes.append(take(schedule, MOST, per_s=per_s, fixed_s=fixed_s))
    return sizes


def take(schedule: LaneSchedule, there: int, *, per_s: float, fixed_s: float = 0.0) -> int:
    """A turn of history that finds so many records."""
    size = min(there, schedule.history_records())
    ended_s = fixed_s + size / per_s
    schedule.note_history(records=size, committed=size, started_s=0.0, now_s=ended_s)
    return size


@pytest.mark.parametrize("per_s", [4_000.0, 7_000.0])
def test_while_live_has_work_a_turn_of_history_takes_about_as_long_as_it_may(per_s: float) -> None:
    sizes = turns_of_history(per_s=per_s, fixed_s=0.1, turns=20, live_records=100)
    assert sizes[-1] == pytest.approx(per_s * (HISTORY_TURN_S - 0.1), rel=0.1)


def test_a_fast_store_is_given_the_most_and_a_slow_one_the_fewest() -> None:
    fast = turns_of_history(per_s=1e6, fixed_s=0.0, turns=10, live_records=100)
    slow = turns_of_history(per_s=100.0, fixed_s=1.0, turns=10, live_records=100)
    assert (fast[-1], slow[-1]) == (MOST, FEWEST_RECORDS)


def test_while_live_is_idle_history_takes_the_most() -> None:
    assert set(turns_of_history(per_s=100.0, fixed_s=1.0, turns=3, live_records=0)) == {MOST}


def settled() -> LaneSchedule:
    """One of a fast store, with live at work."""
    schedule = LaneSchedule(MOST)
    schedule.note_live(records=100, lag_s=0.0)
    while schedule.history_records() < MOST:
        take(schedule, MOST, per_s=1e6)
    return schedule


def test_one_long_turn_makes_the_next_no_smaller_than_its_share() -> None:
    schedule = settled()
    take(schedule, MOST, per_s=MOST / 60.0)
    assert schedule.history_records() == MOST // MOST_CHANGE


def test_a_turn_that_found_few_makes_the_next_no_smaller() -> None:
    schedule = settled()
    take(schedule, 10, per_s=1e6)
    assert schedule.history_records() == MOST


def test_a_turn_that_got_nothing_done_makes_the_next_no_larger() -> None:
    schedule = LaneSchedule(MOST)
    schedule.note_live(records=100, lag_s=0.0)
    for _ in range(5):
        schedule.note_history(records=1_000, committed=0, started_s=0.0, now_s=0.05)
    assert schedule.history_records() == FEWEST_RECORDS

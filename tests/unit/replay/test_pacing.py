"""How fast a replay may go: pure, time is passed in."""

from replay.domain import Rate, Throttle
from replay.pacing import AHEAD_S, FIRST_AHEAD, FLOOR_EPS, MovingRate, Pace


def emitted(pace: Pace, *, from_s: float, seconds: float, step_s: float = 0.05) -> int:
    """Events that a pace lets through when it is asked again and again."""
    total, now_s = 0, from_s
    while now_s < from_s + seconds:
        now_s += step_s
        count = pace.allowed(2_000, now_s=now_s)
        pace.took(count)
        total += count
        pace.note_projected(emitted=0, projected=0, now_s=now_s)
    return total


def test_the_rate_chosen_is_kept() -> None:
    pace = Pace(Rate(max_eps=1_000, auto=False), now_s=0.0)

    assert 9_500 <= emitted(pace, from_s=0.0, seconds=10) <= 10_300
    assert pace.throttle() is Throttle.RATE


def test_a_slow_rate_goes_event_by_event() -> None:
    pace = Pace(Rate(max_eps=2, auto=False), now_s=0.0)

    assert 18 <= emitted(pace, from_s=0.0, seconds=10) <= 21


def test_a_change_of_rate_is_in_force_at_once() -> None:
    pace = Pace(Rate(max_eps=10, auto=False), now_s=0.0)
    emitted(pace, from_s=0.0, seconds=5)

    pace.change(Rate(max_eps=5_000, auto=False))

    assert emitted(pace, from_s=5.0, seconds=2) >= 9_000


def test_live_lag_slows_it_down_to_the_floor_and_no_further() -> None:
    pace = Pace(Rate(max_eps=5_000, auto=True), now_s=0.0)

    for _ in range(60):
        pace.note_live_lag(5.0, seconds=1.0)

    assert pace.throttle() is Throttle.LIVE_LAG
    slow = emitted(pace, from_s=0.0, seconds=10)
    assert FLOOR_EPS * 9 <= slow <= FLOOR_EPS * 11


def test_it_gets_faster_again_when_live_has_caught_up() -> None:
    pace = Pace(Rate(max_eps=5_000, auto=True), now_s=0.0)
    for _ in range(60):
        pace.note_live_lag(5.0, seconds=1.0)

    for _ in range(60):
        pace.note_live_lag(0.1, seconds=1.0)

    assert pace.throttle() is Throttle.RATE
    assert emitted(pace, from_s=0.0, seconds=10) >= 47_000


def test_without_auto_live_lag_changes_nothing() -> None:
    pace = Pace(Rate(max_eps=5_000, auto=False), now_s=0.0)
    for _ in range(60):
        pace.note_live_lag(5.0, seconds=1.0)

    assert emitted(pace, from_s=0.0, seconds=10) >= 47_000


def test_it_waits_for_a_projector_that_does_not_follow() -> None:
    pace = Pace(Rate(max_eps=None, auto=False), now_s=0.0)

    pace.note_projected(emitted=FIRST_AHEAD, projected=0, now_s=1.0)

    assert pace.allowed(10, now_s=2.0) == 0
    assert pace.throttle() is Throttle.PROJECTION


def test_it_runs_ahead_of_nobody_where_nobody_is_to_be_waited_for() -> None:
    pace = Pace(Rate(max_eps=None, auto=False), now_s=0.0)
    pace.note_projected(emitted=FIRST_AHEAD, projected=0, now_s=1.0)

    pace.note_unfollowed()
    pace.took(pace.allowed(FIRST_AHEAD, now_s=2.0))
    assert pace.allowed(10, now_s=3.0) == 10

    pace.note_projected(emitted=2 * FIRST_AHEAD, projected=0, now_s=4.0)
    assert pace.allowed(10, now_s=5.0) == 0


def test_it_runs_some_seconds_of_work_ahead_of_a_fast_projector() -> None:
    pace = Pace(Rate(max_eps=None, auto=False), now_s=0.0)
    for second in range(60):
        pace.note_projected(emitted=0, projected=10_000 * second, now_s=float(second))

    pace.note_projected(emitted=600_000 + 250_000, projected=600_000, now_s=60.0)
    assert pace.allowed(10, now_s=61.0) == 10
    pace.note_projected(emitted=600_000 + 400_000, projected=610_000, now_s=61.0)

    assert AHEAD_S == 30.0
    assert pace.allowed(10, now_s=62.0) == 0


def test_a_moving_rate_follows_within_some_ten_seconds() -> None:
    rate = MovingRate()
    for second in range(10):
        rate.note(second * 100, now_s=float(second))
    assert round(rate.eps) == 100

    for second in range(10, 60):
        rate.note(900, now_s=float(second))

    assert rate.eps < 2

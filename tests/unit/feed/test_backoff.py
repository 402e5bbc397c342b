"""Delays between attempts."""

from feed.backoff import Backoff


def test_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(first_s=0.5, cap_s=3, chance=lambda: 0.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_chance_takes_off_half_at_most() -> None:
    assert Backoff(first_s=4, cap_s=9, chance=lambda: 1.0).next_s() == 2.0


def test_a_reset_starts_from_the_first_delay() -> None:
    backoff = Backoff(first_s=1, cap_s=9, chance=lambda: 0.0)
    backoff.next_s()
    backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 1.0


def test_the_other_side_may_ask_for_more() -> None:
    assert Backoff(first_s=1, cap_s=9).next_s(at_least_s=60) == 60


def test_however_many_failures_the_delay_stays_between_half_the_cap_and_the_cap() -> None:
    backoff = Backoff(first_s=1, cap_s=8)
    delays = [backoff.next_s() for _ in range(3_000)]
    assert all(4 <= delay <= 8 for delay in delays[3:])

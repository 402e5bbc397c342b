"""Counts by hour as bars, and as names to tick."""

import pytest

from replay.admin_forms import MAX_LISTED_NAMES, names_to_tick
from replay.bars import DAY_MS, HEIGHT, MOST_HOURS, WIDTH, bars_of
from warehouse.ports import HourCount

HOUR_MS = 3_600_000
NOON_MS = 20_000 * DAY_MS + 12 * HOUR_MS


def counted(hour: int, count: int, event: str = "order") -> HourCount:
    return HourCount(NOON_MS + hour * HOUR_MS, event, count, 0)


def test_of_nothing_there_are_no_bars() -> None:
    assert bars_of([]).each == ()


def test_events_of_an_hour_are_one_bar_in_proportion() -> None:
    bars = bars_of([counted(0, 3), counted(0, 1, "signup"), counted(3, 8)])
    first, last = bars.each

    assert (bars.step, bars.most, bars.total) == ("hour", 8, 12)
    assert (first.count, first.height, first.y, first.x) == (4, HEIGHT / 2, HEIGHT / 2, 0)
    assert (last.height, last.y, last.x) == (HEIGHT, 0, WIDTH * 3 / 4)
    assert (last.start_ms, last.end_ms) == (NOON_MS + 3 * HOUR_MS, NOON_MS + 4 * HOUR_MS)


@pytest.mark.parametrize(("hours", "step"), [(MOST_HOURS - 1, "hour"), (MOST_HOURS, "day")])
def test_of_more_than_a_month_the_bars_are_days(hours: int, step: str) -> None:
    bars = bars_of([counted(0, 1), counted(1, 1), counted(hours, 1)])

    assert bars.step == step
    assert bars.total == 3
    assert all(0 <= bar.x <= bar.x + bar.width <= WIDTH for bar in bars.each)
    assert bars.each[0].start_ms == (NOON_MS if step == "hour" else NOON_MS - 12 * HOUR_MS)


def test_the_most_frequent_names_are_listed_and_what_is_ticked_always() -> None:
    many = [counted(0, 1_000 + number, f"e{number}") for number in range(MAX_LISTED_NAMES + 5)]

    listed = names_to_tick([*many, counted(1, 1, "rare")], ["rare", "none"])

    assert listed[:3] == [
        ("rare", "rare (1)"),
        ("none", "none (0)"),
        (f"e{MAX_LISTED_NAMES + 4}", f"e{MAX_LISTED_NAMES + 4} (1,204)"),
    ]
    assert len(listed) == MAX_LISTED_NAMES

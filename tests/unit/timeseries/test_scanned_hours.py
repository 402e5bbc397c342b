"""A replay's hours are announced once each, when it has gone on."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from feed.announcements import ChangedRange
from feed.event import HOUR_MS
from tests.builders import NOON_MS
from timeseries.scanned_hours import ScannedHours

MINUTE_MS = 60_000


def minute(hour: int, number: int = 0, project: str = "demo") -> ChangedRange:
    start_ms = NOON_MS + hour * HOUR_MS + number * MINUTE_MS
    return ChangedRange(project, start_ms, start_ms + MINUTE_MS)


def hours(first: int, count: int = 1, project: str = "demo") -> ChangedRange:
    start_ms = NOON_MS + first * HOUR_MS
    return ChangedRange(project, start_ms, start_ms + count * HOUR_MS)


def test_an_hour_is_told_once_the_batches_are_past_it() -> None:
    scanned = ScannedHours()

    told = [
        scanned.passed([minute(0, 1)]),
        scanned.passed([minute(0, 2), minute(0, 59)]),
        scanned.passed([minute(0, 59), minute(1)]),
        scanned.passed([minute(1), minute(2), minute(3)]),
        scanned.passed([minute(3)]),
    ]

    assert told == [[], [], [], [hours(0)], [hours(1, 2)]]


def test_when_nothing_comes_all_is_told_and_then_nothing() -> None:
    scanned = ScannedHours()
    scanned.passed([minute(0), minute(0, 0, "other")])

    assert scanned.passed([]) == [hours(0), hours(0, 1, "other")]
    assert scanned.passed([]) == []


def test_a_range_over_several_hours_is_all_of_them() -> None:
    scanned = ScannedHours()
    wide = ChangedRange("demo", NOON_MS - 1, NOON_MS + HOUR_MS + 1)
    scanned.passed([wide])

    assert scanned.passed([]) == [hours(-1, 3)]


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 7))
def test_whatever_is_scanned_in_order_is_told_once_and_nothing_else(
    found: list[int], batch: int
) -> None:
    scanned = ScannedHours()
    in_order = sorted(found)

    told = [
        each
        for start in range(0, len(in_order), batch)
        for each in scanned.passed([minute(hour) for hour in in_order[start : start + batch]])
    ]
    told += scanned.passed([])

    counts = Counter(
        (start_ms - NOON_MS) // HOUR_MS
        for each in told
        for start_ms in range(each.from_ms, each.to_ms, HOUR_MS)
    )
    assert counts == dict.fromkeys(in_order, 1)

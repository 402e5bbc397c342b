"""Buckets are calendar-true: they tile any range in any zone, whatever its clocks do."""

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeseries.calendar import (
    LATEST_MS,
    TooManyBuckets,
    first_instant,
    local_time,
    offset_ms,
    text_of,
    tile,
    zone_of,
)
from timeseries.domain import Interval, Unit
from timeseries.intervals import LADDER, least_length_ms

HOUR = Interval(1, Unit.HOUR)
DAY = Interval(1, Unit.DAY)
HOUR_MS = 3_600_000
ODD_ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Asia/Gaza",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Australia/Eucla",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Pacific/Chatham",
    "UTC",
)


def _tiled(
    zone_name: str, start: str, end: str, interval: Interval, *, sunday: bool = False
) -> list[tuple[str, str]]:
    zone = zone_of(zone_name)
    buckets = tile(
        first_instant(datetime.fromisoformat(start), zone),
        first_instant(datetime.fromisoformat(end), zone),
        interval,
        zone=zone,
        week_start_sunday=sunday,
        most=1000,
    )
    return [(text_of(bucket.start_ms, zone), text_of(bucket.end_ms, zone)) for bucket in buckets]


def _hours(zone_name: str, start: str, end: str, interval: Interval) -> list[float]:
    zone = zone_of(zone_name)
    buckets = tile(
        first_instant(datetime.fromisoformat(start), zone),
        first_instant(datetime.fromisoformat(end), zone),
        interval,
        zone=zone,
        most=1000,
    )
    return [(bucket.end_ms - bucket.start_ms) / HOUR_MS for bucket in buckets]


@st.composite
def _ranges(draw: st.DrawFn) -> tuple[str, Interval, int, int]:
    interval = draw(st.sampled_from(LADDER))
    length_ms = draw(st.integers(1, 60 * least_length_ms(interval)))
    start_ms = draw(st.integers(0, LATEST_MS - length_ms))
    return draw(st.sampled_from(ODD_ZONES)), interval, start_ms, start_ms + length_ms


@settings(max_examples=400)
@given(_ranges(), st.booleans())
@example(("Pacific/Apia", DAY, 1_325_000_000_000, 1_325_400_000_000), False)
@example(("America/St_Johns", DAY, 1_162_089_100_000, 1_162_400_000_000), False)
@example(("Africa/Monrovia", HOUR, 63_590_000_000, 63_600_000_000), False)
def test_buckets_tile_every_range_without_gap_or_overlap(
    case: tuple[str, Interval, int, int], sunday: bool
) -> None:
    zone_name, interval, from_ms, to_ms = case
    zone = zone_of(zone_name)
    buckets = tile(from_ms, to_ms, interval, zone=zone, week_start_sunday=sunday, most=11_000)
    assert buckets[0].start_ms <= from_ms < buckets[0].end_ms
    assert buckets[-1].start_ms < to_ms <= buckets[-1].end_ms
    for left, right in zip(buckets, buckets[1:], strict=False):
        assert left.end_ms == right.start_ms
    for bucket in buckets:
        assert bucket.start_ms < bucket.end_ms
        assert _starts_on_a_step(bucket.start_ms, interval, zone_name, sunday=sunday)


def _starts_on_a_step(time_ms: int, interval: Interval, zone_name: str, *, sunday: bool) -> bool:
    zone = zone_of(zone_name)
    if offset_ms(zone, time_ms) != offset_ms(zone, time_ms - 1):
        return True  # the clock was changed at this instant
    local = local_time(zone, time_ms)
    seconds = local.hour * 3600 + local.minute * 60 + local.second
    if local.microsecond:
        return False
    match interval.unit:
        case Unit.SECOND | Unit.MINUTE | Unit.HOUR:
            return seconds % (least_length_ms(interval) // 1000) == 0
        case Unit.DAY:
            return seconds == 0
        case Unit.WEEK:
            return seconds == 0 and local.isoweekday() == (7 if sunday else 1)
        case Unit.MONTH:
            return seconds == 0 and local.day == 1
        case Unit.QUARTER:
            return seconds == 0 and local.day == 1 and local.month in (1, 4, 7, 10)
        case Unit.YEAR:
            return seconds == 0 and (local.month, local.day) == (1, 1)


@settings(max_examples=200)
@given(_ranges())
def test_no_bucket_of_an_hour_or_less_holds_a_change_of_the_clock(
    case: tuple[str, Interval, int, int],
) -> None:
    zone_name, interval, from_ms, to_ms = case
    if least_length_ms(interval) > HOUR_MS:
        interval = HOUR
        to_ms = min(to_ms, from_ms + 60 * HOUR_MS)
    zone = zone_of(zone_name)
    for bucket in tile(from_ms, to_ms, interval, zone=zone, most=11_000):
        assert offset_ms(zone, bucket.start_ms) == offset_ms(zone, bucket.end_ms - 1)
        assert bucket.end_ms - bucket.start_ms <= least_length_ms(interval)


def test_the_day_of_the_autumn_change_has_25_hours_and_two_at_one_oclock() -> None:
    tiled = _tiled("America/New_York", "2026-11-01", "2026-11-02", HOUR)
    assert len(tiled) == 25
    assert tiled[1][0] == "2026-11-01T01:00:00-04:00"
    assert tiled[2] == ("2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00")


def test_the_day_of_the_spring_change_has_23_hours() -> None:
    tiled = _tiled("Europe/Berlin", "2026-03-29", "2026-03-30", HOUR)
    assert len(tiled) == 23
    assert tiled[1] == ("2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00")
    assert _hours("Europe/Berlin", "2026-03-29", "2026-03-30", DAY) == [23]


def test_a_clock_put_back_by_half_an_hour_makes_one_bucket_of_half_an_hour() -> None:
    tiled = _tiled("Australia/Lord_Howe", "2026-04-05T01:00", "2026-04-05T03:00", HOUR)
    assert [start for start, _ in tiled] == [
        "2026-04-05T01:00:00+11:00",
        "2026-04-05T01:30:00+10:30",
        "2026-04-05T02:00:00+10:30",
    ]


def test_a_clock_put_forward_by_half_an_hour_makes_one_bucket_of_half_an_hour() -> None:
    tiled = _tiled("Australia/Lord_Howe", "2026-10-04T01:00", "2026-10-04T04:00", HOUR)
    assert [start for start, _ in tiled] == [
        "2026-10-04T01:00:00+10:30",
        "2026-10-04T02:30:00+11:00",
        "2026-10-04T03:00:00+11:00",
    ]


def test_three_hours_start_at_local_midnight_and_may_last_two_or_four() -> None:
    three = Interval(3, Unit.HOUR)
    assert _hours("Europe/Berlin", "2026-03-29", "2026-03-30", three) == [2, *[3] * 7]
    assert _hours("Europe/Berlin", "2026-10-25", "2026-10-26", three) == [4, *[3] * 7]


@pytest.mark.parametrize(
    ("zone", "step"), [("Asia/Kathmandu", "+05:45"), ("Asia/Kolkata", "+05:30")]
)
def test_hours_start_at_the_local_hour_where_the_offset_has_minutes(zone: str, step: str) -> None:
    tiled = _tiled(zone, "2026-01-01T07:20", "2026-01-01T08:20", HOUR)
    assert tiled == [
        (f"2026-01-01T07:00:00{step}", f"2026-01-01T08:00:00{step}"),
        (f"2026-01-01T08:00:00{step}", f"2026-01-01T09:00:00{step}"),
    ]


def test_a_date_that_a_zone_skipped_has_no_bucket() -> None:
    tiled = _tiled("Pacific/Apia", "2011-12-29", "2012-01-01", DAY)
    assert tiled == [
        ("2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"),
        ("2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"),
    ]


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("Africa/Cairo", "2026-04-24", "2026-04-24T01:00:00+03:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"),
        ("Asia/Beirut", "2026-03-29", "2026-03-29T01:00:00+03:00"),
    ],
)
def test_a_day_whose_midnight_is_jumped_over_starts_at_the_jump(
    zone: str, day: str, start: str
) -> None:
    following = str(datetime.fromisoformat(day) + timedelta(days=1))
    tiled = _tiled(zone, day, following, DAY)
    assert [bucket[0] for bucket in tiled] == [start]
    assert _hours(zone, day, following, DAY) == [23]


def test_a_midnight_that_comes_twice_starts_the_day_the_first_time() -> None:
    tiled = _tiled("America/Havana", "2026-11-01", "2026-11-02", DAY)
    assert tiled == [("2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00")]
    assert _hours("America/Havana", "2026-11-01", "2026-11-02", DAY) == [25]


def test_weeks_are_iso_unless_they_start_on_sunday() -> None:
    week = Interval(1, Unit.WEEK)
    iso = _tiled("UTC", "2026-11-04", "2026-11-05", week)
    assert iso == [("2026-11-02T00:00:00+00:00", "2026-11-09T00:00:00+00:00")]
    american = _tiled("UTC", "2026-11-04", "2026-11-05", week, sunday=True)
    assert american == [("2026-11-01T00:00:00+00:00", "2026-11-08T00:00:00+00:00")]


def test_months_quarters_and_years_keep_their_calendar_bounds() -> None:
    for unit, bounds in (
        (Unit.MONTH, ("2026-02-01", "2026-03-01")),
        (Unit.QUARTER, ("2026-01-01", "2026-04-01")),
        (Unit.YEAR, ("2026-01-01", "2027-01-01")),
    ):
        tiled = _tiled("UTC", "2026-02-10", "2026-02-11", Interval(1, unit))
        assert tiled == [tuple(f"{bound}T00:00:00+00:00" for bound in bounds)]


def test_more_buckets_than_asked_for_are_refused() -> None:
    zone = zone_of("UTC")
    assert len(tile(0, 10 * HOUR_MS, HOUR, zone=zone, most=10)) == 10
    for interval, length_ms in ((HOUR, 10 * HOUR_MS + 1), (DAY, 240 * HOUR_MS + 1)):
        with pytest.raises(TooManyBuckets):
            tile(0, length_ms, interval, zone=zone, most=10)


@pytest.mark.parametrize("name", ["", "Nowhere/None", "../etc/passwd", "Europe", "a\0b", "+02:00"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an IANA time zone"):
        zone_of(name)


def test_times_are_printed_with_the_offset_of_their_instant() -> None:
    assert text_of(0, zone_of("Asia/Kolkata")) == "1970-01-01T05:30:00+05:30"
    assert text_of(1_001, zone_of("UTC")) == "1970-01-01T00:00:01.001+00:00"


def test_an_offset_with_seconds_is_printed_in_utc() -> None:
    assert text_of(0, zone_of("Africa/Monrovia")) == "1970-01-01T00:00:00+00:00"

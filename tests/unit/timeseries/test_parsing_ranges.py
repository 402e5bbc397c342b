"""What a client writes as a range becomes two instants, by documented rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries.calendar import LATEST_MS, text_of, zone_of
from timeseries.errors import QueryRefused
from timeseries.ranges import TimeRange, parse_range, parse_time

NOW_MS = 1_793_534_400_250
"""2026-11-01T12:00:00.250Z, a Sunday; New York put its clocks back that morning."""
BERLIN = "Europe/Berlin"


def _range(value: object, timezone: object = None) -> TimeRange:
    return parse_range(value, timezone=timezone, now_ms=NOW_MS, default="24h")


def _texts(value: object, timezone: object = None) -> tuple[str, str]:
    times = _range(value, timezone)
    return text_of(times.from_ms, times.zone), text_of(times.to_ms, times.zone)


def _time(text: object, zone: str = "UTC") -> str:
    return text_of(parse_time(text, zone_of(zone), "range.from"), zone_of(zone))


def test_dates_are_read_in_the_time_zone() -> None:
    value = {"from": "2026-11-01", "to": "2026-11-08", "timezone": BERLIN}
    assert _texts(value) == ("2026-11-01T00:00:00+01:00", "2026-11-08T00:00:00+01:00")


def test_the_time_zone_is_utc_unless_the_query_or_its_range_says_otherwise() -> None:
    value = {"from": "2026-11-01", "to": "2026-11-02"}
    assert _range(value).timezone == "UTC"
    assert _range(value, BERLIN).timezone == BERLIN
    assert _range({**value, "timezone": "Asia/Tokyo"}, BERLIN).timezone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-01T10:30", "2026-11-01T10:30:00+01:00"),
        ("2026-11-01 10:30:05", "2026-11-01T10:30:05+01:00"),
        ("2026-11-01T10:30:05.5", "2026-11-01T10:30:05.500+01:00"),
        ("2026-11-01T10:30Z", "2026-11-01T11:30:00+01:00"),
        ("2026-11-01t10:30:00z", "2026-11-01T11:30:00+01:00"),
        ("2026-11-01T10:30:00-05:00", "2026-11-01T16:30:00+01:00"),
        ("2026-11-01T10:30:00 02:00", "2026-11-01T09:30:00+01:00"),
        (1_793_534_400_000, "2026-11-01T13:00:00+01:00"),
    ],
)
def test_an_offset_or_epoch_ms_is_absolute_and_all_else_local(text: object, instant: str) -> None:
    assert _time(text, BERLIN) == instant


def test_parts_of_a_millisecond_count_as_the_next_one() -> None:
    assert parse_time("1970-01-01T00:00:00.0001Z", zone_of("UTC"), "x") == 1
    assert parse_time("1970-01-01T00:00:00.001000000", zone_of("UTC"), "x") == 1


def test_a_local_time_that_the_clock_jumps_over_is_the_jump() -> None:
    assert _time("2026-03-29T02:30", BERLIN) == "2026-03-29T03:00:00+02:00"
    assert _time("2026-04-24", "Africa/Cairo") == "2026-04-24T01:00:00+03:00"


def test_a_local_time_that_comes_twice_is_the_first() -> None:
    assert _time("2026-10-25T02:30", BERLIN) == "2026-10-25T02:30:00+02:00"
    assert _time("2026-10-25T02:30+01:00", BERLIN) == "2026-10-25T02:30:00+01:00"


@pytest.mark.parametrize(("preset", "hours"), [("24h", 24), ("7d", 7 * 24), ("30d", 30 * 24)])
def test_rolling_presets_end_with_the_second_of_now(preset: str, hours: int) -> None:
    times = _range(preset)
    assert times.to_ms == 1_793_534_401_000
    assert times.to_ms - times.from_ms == hours * 3_600_000


@pytest.mark.parametrize(
    ("preset", "start", "end"),
    [
        ("today", "2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"),
        ("yesterday", "2026-10-31T00:00:00-04:00", "2026-11-01T00:00:00-04:00"),
        ("month", "2026-11-01T00:00:00-04:00", "2026-12-01T00:00:00-05:00"),
        ("year", "2026-01-01T00:00:00-05:00", "2027-01-01T00:00:00-05:00"),
    ],
)
def test_calendar_presets_are_whole_in_the_time_zone(preset: str, start: str, end: str) -> None:
    assert _texts(preset, "America/New_York") == (start, end)
    named = {"preset": preset, "timezone": "America/New_York"}
    assert _texts(named) == (start, end)


def test_without_an_end_a_range_ends_now() -> None:
    assert _range({"from": NOW_MS - 1000}).to_ms == 1_793_534_401_000


def test_without_a_range_the_default_is_taken_in_the_time_zone_given() -> None:
    assert _range(None) == _range("24h")
    assert _range({"timezone": BERLIN}) == _range("24h", BERLIN)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("fortnight", "range"),
        (7, "range"),
        ([], "range"),
        ({"since": 1}, "range.since"),
        ({"to": "2026-11-01"}, "range.from"),
        ({"from": "2026-11-01", "to": "2026-11-01"}, "range.to"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "range.to"),
        ({"preset": "24h", "from": "2026-11-01"}, "range.preset"),
        ({"preset": 5}, "range"),
        ({"from": True}, "range.from"),
        ({"from": 1.5}, "range.from"),
        ({"from": "yesterday"}, "range.from"),
        ({"from": "2026-13-01"}, "range.from"),
        ({"from": "2026-02-30T00:00"}, "range.from"),
        ({"from": "2026-11-01T25:00"}, "range.from"),
        ({"from": "2026-11-01T10:00+24:00"}, "range.from"),
        ({"from": "2026-11-01T10:00:61Z"}, "range.from"),
        ({"from": "1969-12-31"}, "range.from"),
        ({"from": "0001-01-01"}, "range.from"),
        ({"from": -1}, "range.from"),
        ({"from": 0, "to": LATEST_MS + 1}, "range.to"),
        ({"from": "２０２６-11-01"}, "range.from"),
    ],
)
def test_what_is_no_range_is_refused_by_its_part(value: object, field: str) -> None:
    with pytest.raises(QueryRefused) as caught:
        _range(value)
    assert (caught.value.code, caught.value.field) == ("invalid_query", field)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", 5, "europe/berlin", "../UTC", "UTC\0"])
def test_what_is_no_time_zone_is_refused(name: object) -> None:
    with pytest.raises(QueryRefused) as caught:
        _range({"from": 0, "timezone": name})
    assert (caught.value.code, caught.value.field) == ("invalid_timezone", "range.timezone")
    with pytest.raises(QueryRefused) as caught:
        _range("24h", name)
    assert caught.value.field == "timezone"


@given(
    st.integers(0, LATEST_MS), st.sampled_from(["UTC", BERLIN, "Pacific/Apia", "Asia/Kathmandu"])
)
def test_a_printed_time_is_read_back_as_the_same_instant(time_ms: int, name: str) -> None:
    zone = zone_of(name)
    assert parse_time(text_of(time_ms, zone), zone_of("UTC"), "range.from") == time_ms


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading_of_times(text: str) -> None:
    try:
        time_ms: int | None = parse_time(text, zone_of(BERLIN), "range.from")
    except QueryRefused as refused:
        time_ms, field = None, refused.field
    assert field == "range.from" if time_ms is None else 0 <= time_ms <= LATEST_MS

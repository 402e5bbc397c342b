"""Times as clients write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.timestamps import FIRST_MS, LAST_MS, format_time, parse_time
from tests.builders import NOON_MS

OFFSETS = st.integers(min_value=-23 * 60, max_value=23 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-01T12:00:00Z",
        "2026-11-01t12:00:00z",
        "2026-11-01 12:00:00Z",
        "2026-11-01T12:00:00.000999999999Z",
        "2026-11-01T13:00:00+01:00",
        "2026-11-01T12:00:00-00:00",
        "2026-11-01T11:59:60Z",
    ],
)
def test_rfc_3339_is_read(text: str) -> None:
    assert parse_time(text) == NOON_MS


def test_fractions_are_floored_to_milliseconds() -> None:
    assert parse_time("2026-11-01T12:00:00.1239999Z") == NOON_MS + 123
    assert parse_time("1969-12-31T23:59:59.9995Z") == -1
    assert parse_time("2016-12-31T23:59:60.5Z") == parse_time("2017-01-01T00:00:00.5Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-01",
        "2026-11-01T12:00:00",
        "2026-11-01T12:00Z",
        "2026-11-01T24:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-11-01T12:00:61Z",
        "2026-11-01T12:00:00,5Z",
        "2026-11-01T12:00:00.Z",
        "2026-11-01T12:00:00+24:00",
        "2026-11-01T12:00:00+0100",
        "2026-W44-7T12:00:00Z",
        "2026-11-01T12:00:00Z\n",
        "٢٠٢٦-11-01T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:60Z",
        "1793534400000",
    ],
)
def test_anything_else_is_no_time(text: str) -> None:
    assert parse_time(text) is None


def test_epoch_milliseconds_are_taken_within_the_calendar() -> None:
    assert parse_time(NOON_MS) == NOON_MS
    assert (parse_time(FIRST_MS), parse_time(LAST_MS)) == (FIRST_MS, LAST_MS)
    assert parse_time(FIRST_MS - 1) is parse_time(LAST_MS + 1) is None


@given(st.integers(min_value=FIRST_MS, max_value=LAST_MS))
def test_what_is_written_is_read_back(time_ms: int) -> None:
    assert parse_time(format_time(time_ms)) == time_ms


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), OFFSETS)  # noqa: DTZ001
def test_reading_agrees_with_the_calendar(moment: datetime, zone: timezone) -> None:
    aware = moment.replace(tzinfo=zone)
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert parse_time(aware.isoformat()) == expected

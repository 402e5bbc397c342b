"""Calendar-true buckets: which instants tile a range in a time zone. Pure; knows no query and no
engine.

Rules, the same for ranges and buckets (docs/decisions/0016-local-times.md):

- A local time that the clock jumps over means the instant of the jump; one that it shows twice
  means the first of the two.
- Buckets of three hours and more start where the local clock first shows their calendar start, so
  that a day has 23, 24 or 25 hours, and a date that a zone skipped has no bucket.
- Buckets of an hour or less start at whole steps of the local clock, and also where the clock was
  changed, so that the two passes of a repeated hour stay two buckets and none counts both.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from timeseries.domain import Bucket, Interval, Unit

EARLIEST_MS = 0
LATEST_MS = 7_258_118_400_000  # 2200-01-01T00:00:00Z: clear of the last year a datetime can hold
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  local wall times are naive on purpose
_MS = timedelta(milliseconds=1)
_CLOCK_UNITS_MS = {Unit.SECOND: 1_000, Unit.MINUTE: 60_000, Unit.HOUR: 3_600_000}
_HOUR_MS = 3_600_000
_PROBE_MS = 48 * _HOUR_MS  # no zone changes its clock twice within this since 1970 (least: 7 days)


class TooManyBuckets(ValueError):
    """The range holds more buckets than asked for."""


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone of this name. Raises ValueError for any other text."""
    if name not in _zone_names():
        raise ValueError(f"{name!r} is not an IANA time zone")
    return ZoneInfo(name)


def offset_ms(zone: ZoneInfo, time_ms: int) -> int:
    """What local clocks are ahead of UTC at an instant."""
    offset = datetime.fromtimestamp(time_ms // 1000, zone).utcoffset()
    return (offset or timedelta()) // _MS


def local_time(zone: ZoneInfo, time_ms: int) -> datetime:
    """What local clocks show at an instant, without a zone."""
    return _EPOCH + timedelta(milliseconds=time_ms + offset_ms(zone, time_ms))


def first_instant(local: datetime, zone: ZoneInfo) -> int:
    """The first instant, in ms, at which local clocks show this time, or the jump that skips it."""
    before = local.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()
    after = local.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    local_ms = (local - _EPOCH) // _MS
    if after <= before:
        return local_ms - before // _MS
    return _transition(zone, local_ms - after // _MS, local_ms - before // _MS)


def _transition(zone: ZoneInfo, low_ms: int, high_ms: int) -> int:
    """The first instant in (low, high] with the offset of `high`, where the two differ."""
    wanted = offset_ms(zone, high_ms)
    while high_ms - low_ms > 1:
        middle_ms = (low_ms + high_ms) // 2
        if offset_ms(zone, middle_ms) == wanted:
            high_ms = middle_ms
        else:
            low_ms = middle_ms
    return high_ms


def text_of(time_ms: int, zone: ZoneInfo) -> str:
    """RFC 3339 with the zone's offset at that instant; in UTC where the offset has seconds, which
    RFC 3339 cannot say."""
    if offset_ms(zone, time_ms) % 60_000:
        zone = zone_of("UTC")
    moment = datetime.fromtimestamp(time_ms // 1000, zone)
    millisecond = time_ms % 1000
    if millisecond:
        return moment.replace(microsecond=millisecond * 1000).isoformat(timespec="milliseconds")
    return moment.isoformat(timespec="seconds")


def tile(
    from_ms: int,
    to_ms: int,
    interval: Interval,
    *,
    zone: ZoneInfo,
    week_start_sunday: bool = False,
    most: int,
) -> tuple[Bucket, ...]:
    """Buckets that tile [from, to): ascending, without gap or overlap; the first and the last keep
    their calendar bounds.

    Raises TooManyBuckets when there are more than `most`.
    """
    step_ms = _clock_step_ms(interval)
    if step_ms is None:
        starts = _calendar_starts(from_ms, interval, zone, week_start_sunday=week_start_sunday)
    elif (to_ms - from_ms) // step_ms > most:
        raise TooManyBuckets
    else:
        starts = _clock_starts(from_ms, to_ms, step_ms, zone)
    return _between(starts, from_ms, to_ms, most=most)


def _between(starts: Iterator[int], from_ms: int, to_ms: int, *, most: int) -> tuple[Bucket, ...]:
    """Buckets from the last start at or before `from` to the first at or after `to`."""
    buckets: list[Bucket] = []
    last_ms = next(starts)
    for start_ms in starts:
        if start_ms <= last_ms:  # a date that the zone skipped, or a day that began twice
            continue
        if start_ms > from_ms:
            buckets.append(Bucket(last_ms, start_ms))
        if start_ms >= to_ms:
            break
        if len(buckets) > most:
            raise TooManyBuckets
        last_ms = start_ms
    if len(buckets) > most:
        raise TooManyBuckets
    return tuple(buckets)


def _clock_step_ms(interval: Interval) -> int | None:
    """The step of an interval of an hour or less; None for those that follow the calendar."""
    unit_ms = _CLOCK_UNITS_MS.get(interval.unit)
    step_ms = None if unit_ms is None else unit_ms * interval.count
    return step_ms if step_ms is not None and step_ms <= _HOUR_MS else None


def _clock_starts(from_ms: int, to_ms: int, step_ms: int, zone: ZoneInfo) -> Iterator[int]:
    low_ms, high_ms = from_ms - 2 * _HOUR_MS, to_ms + 2 * _HOUR_MS
    changes = [low_ms, *_clock_changes(zone, low_ms, high_ms), high_ms]
    for index, (start_ms, end_ms) in enumerate(zip(changes, changes[1:], strict=False)):
        shift_ms = offset_ms(zone, start_ms)
        if index:
            yield start_ms
        aligned_ms = (start_ms + shift_ms) // step_ms * step_ms + step_ms - shift_ms
        yield from range(aligned_ms, end_ms, step_ms)


def _clock_changes(zone: ZoneInfo, low_ms: int, high_ms: int) -> Iterator[int]:
    """Instants in (low, high) at which the zone's offset changes, ascending."""
    offset = offset_ms(zone, low_ms)
    while low_ms < high_ms:
        probe_ms = min(low_ms + _PROBE_MS, high_ms)
        probed = offset_ms(zone, probe_ms)
        if probed != offset:
            change_ms = _transition(zone, low_ms, probe_ms)
            if change_ms < high_ms:
                yield change_ms
            offset = probed
        low_ms = probe_ms


def _calendar_starts(
    from_ms: int, interval: Interval, zone: ZoneInfo, *, week_start_sunday: bool
) -> Iterator[int]:
    """Ascending starts without end; the first lies at or before `from`. Equal neighbours are
    possible."""
    floor, following = _CALENDAR[interval.unit]
    local = floor(local_time(zone, from_ms), interval.count)
    if interval.unit is Unit.WEEK and week_start_sunday:
        local = _sunday_before(local_time(zone, from_ms))
    while True:
        yield first_instant(local, zone)
        local = following(local, interval.count)


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _floor_hours(local: datetime, count: int) -> datetime:
    return _midnight(local).replace(hour=local.hour // count * count)


def _floor_day(local: datetime, _count: int) -> datetime:
    return _midnight(local)


def _floor_week(local: datetime, _count: int) -> datetime:
    return _midnight(local) - timedelta(days=local.weekday())


def _sunday_before(local: datetime) -> datetime:
    return _midnight(local) - timedelta(days=local.isoweekday() % 7)


def _floor_month(local: datetime, _count: int) -> datetime:
    return _midnight(local).replace(day=1)


def _floor_quarter(local: datetime, _count: int) -> datetime:
    return _midnight(local).replace(month=(local.month - 1) // 3 * 3 + 1, day=1)


def _floor_year(local: datetime, _count: int) -> datetime:
    return _midnight(local).replace(month=1, day=1)


def _later_by(unit: timedelta) -> Callable[[datetime, int], datetime]:
    return lambda local, count: local + unit * count


def _later_by_months(months: int) -> Callable[[datetime, int], datetime]:
    def later(local: datetime, count: int) -> datetime:
        years, month = divmod(local.month - 1 + months * count, 12)
        return local.replace(year=local.year + years, month=month + 1)

    return later


_CALENDAR: dict[
    Unit, tuple[Callable[[datetime, int], datetime], Callable[[datetime, int], datetime]]
] = {
    Unit.HOUR: (_floor_hours, _later_by(timedelta(hours=1))),
    Unit.DAY: (_floor_day, _later_by(timedelta(days=1))),
    Unit.WEEK: (_floor_week, _later_by(timedelta(weeks=1))),
    Unit.MONTH: (_floor_month, _later_by_months(1)),
    Unit.QUARTER: (_floor_quarter, _later_by_months(3)),
    Unit.YEAR: (_floor_year, _later_by_months(12)),
}

"""From what a client writes to the times a query covers. Pure: the clock is passed in.

A local time that the clock jumps over means the instant of the jump, one that it shows twice the
first of the two (timeseries/calendar.py).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from timeseries.calendar import EARLIEST_MS, LATEST_MS, first_instant, local_time, zone_of
from timeseries.errors import QueryRefused, invalid_query

DEFAULT_TIMEZONE = "UTC"
_HOUR_MS = 3_600_000
_ROLLING_MS = {"24h": 24 * _HOUR_MS, "7d": 7 * 24 * _HOUR_MS, "30d": 30 * 24 * _HOUR_MS}
_MEMBERS = ("preset", "from", "to", "timezone")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"(?: ?(Z|[+-][0-9]{2}:[0-9]{2}))?)?",
    re.IGNORECASE | re.ASCII,
)
_UNQUOTED_PLUS = re.compile(r" ([0-9]{2}:[0-9]{2})\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """`from_ms <= t < to_ms`, read in `timezone`."""

    from_ms: int
    to_ms: int
    timezone: str

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return zone_of(self.timezone)


def parse_range(value: object, *, timezone: object, now_ms: int, default: str) -> TimeRange:
    """The range of a query: a preset's name or an object of from, to, timezone; `default`, a
    preset, where there is none.

    `timezone` is the query's own, which one inside the range overrides. Without `to` it ends
    now. Raises QueryRefused naming the part.
    """
    members = _range_members(value, default)
    inner = members.get("timezone")
    name = (
        parse_timezone(timezone, "timezone")
        if inner is None
        else parse_timezone(inner, "range.timezone")
    )
    zone = zone_of(name)
    if members.get("preset") is not None:
        return TimeRange(*_preset_bounds(members, zone, now_ms), name)
    if members.get("from") is None:
        raise invalid_query("range.from", "range.from is missing: give a time or a preset")
    from_ms = parse_time(members["from"], zone, "range.from")
    to = members.get("to")
    to_ms = _end_of_now(now_ms) if to is None else parse_time(to, zone, "range.to")
    if from_ms >= to_ms:
        raise invalid_query("range.to", "range.to must lie after range.from: from ≤ t < to")
    return TimeRange(from_ms, to_ms, name)


def _range_members(value: object, default: str) -> Mapping[str, object]:
    if value is None:
        return {"preset": default}
    if isinstance(value, str):
        return {"preset": value}
    if not isinstance(value, dict):
        raise invalid_query("range", "range takes a preset or an object of from, to, timezone")
    for name in value:
        if name not in _MEMBERS:
            raise invalid_query(
                f"range.{name}", f"range has no {name}: it takes from, to, timezone"
            )
    given = {name: part for name, part in value.items() if part is not None}
    return given if set(given) - {"timezone"} else given | {"preset": default}


def parse_timezone(value: object, path: str) -> str:
    """An IANA name, UTC where there is none. Raises QueryRefused `invalid_timezone`."""
    if value is None:
        return DEFAULT_TIMEZONE
    try:
        if isinstance(value, str):
            zone_of(value)
            return value
    except ValueError:
        pass
    raise QueryRefused(
        "invalid_timezone", f"{path} takes an IANA name such as Europe/Berlin", field=path
    )


def _end_of_now(now_ms: int) -> int:
    """The next whole second: an event of this moment is inside, and equal queries of one second
    are the same query."""
    return (now_ms // 1000 + 1) * 1000


def _preset_bounds(members: Mapping[str, object], zone: ZoneInfo, now_ms: int) -> tuple[int, int]:
    preset = members["preset"]
    if members.get("from") is not None or members.get("to") is not None:
        raise invalid_query("range.preset", "range takes a preset or from and to, not both")
    if isinstance(preset, str) and preset in _ROLLING_MS:
        to_ms = _end_of_now(now_ms)
        return to_ms - _ROLLING_MS[preset], to_ms
    if isinstance(preset, str) and preset in _CALENDAR:
        start, end = _CALENDAR[preset](local_time(zone, now_ms).replace(hour=0, minute=0, second=0))
        return (
            first_instant(start.replace(microsecond=0), zone),
            first_instant(end.replace(microsecond=0), zone),
        )
    names = ", ".join([*_ROLLING_MS, *_CALENDAR])
    raise invalid_query("range", f"range is no preset: the presets are {names}")


def _today(midnight: datetime) -> tuple[datetime, datetime]:
    return midnight, midnight + timedelta(days=1)


def _yesterday(midnight: datetime) -> tuple[datetime, datetime]:
    return midnight - timedelta(days=1), midnight


def _month(midnight: datetime) -> tuple[datetime, datetime]:
    first = midnight.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _year(midnight: datetime) -> tuple[datetime, datetime]:
    first = midnight.replace(month=1, day=1)
    return first, first.replace(year=first.year + 1)


_CALENDAR: Mapping[str, Callable[[datetime], tuple[datetime, datetime]]] = {
    "today": _today,
    "yesterday": _yesterday,
    "month": _month,
    "year": _year,
}


def parse_time(value: object, zone: ZoneInfo, path: str) -> int:
    """Epoch ms, or the text of a date or time: local unless it has an offset. Parts of a
    millisecond count as the next one, which `from ≤ t < to` of whole milliseconds means.

    Raises QueryRefused naming `path`.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        time_ms = value
    elif isinstance(value, str):
        time_ms = _parse_text(value, zone, path)
    else:
        raise _not_a_time(path)
    if not EARLIEST_MS <= time_ms <= LATEST_MS:
        raise invalid_query(path, f"{path} must lie between the years 1970 and 2200")
    return time_ms


def _parse_text(text: str, zone: ZoneInfo, path: str) -> int:
    # A plus sign that a client forgot to encode in an address arrives as a space.
    parts = _TIME.fullmatch(_UNQUOTED_PLUS.sub(r"+\1", text) if "T" in text.upper() else text)
    if parts is None:
        raise _not_a_time(path)
    day, minutes, seconds, fraction, offset = parts.groups()
    try:
        wall = datetime.fromisoformat(f"{day}T{minutes or '00:00'}:{seconds or '00'}")
        shift = None if offset is None else _shift(offset)
    except ValueError as exc:
        raise _not_a_time(path) from exc
    part_ms = -(-int((fraction or "0").ljust(9, "0")) // 1_000_000)
    if shift is not None:
        return (wall.replace(tzinfo=UTC) - shift - _EPOCH) // _MS + part_ms
    if not 1969 <= wall.year <= 2201:  # beyond lies what no zone can be asked for
        raise invalid_query(path, f"{path} must lie between the years 1970 and 2200")
    return first_instant(wall, zone) + part_ms


def _shift(offset: str) -> timedelta:
    """What an offset is ahead of UTC. Raises ValueError beyond 23:59."""
    if offset in "Zz":
        return timedelta()
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(offset)
    shift = timedelta(hours=hours, minutes=minutes)
    return -shift if offset[0] == "-" else shift


def _not_a_time(path: str) -> QueryRefused:
    return invalid_query(
        path,
        f"{path} takes a date, a local time, a time with an offset (RFC 3339), or epoch "
        "milliseconds",
    )

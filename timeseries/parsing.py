"""From a query as JSON to a query that can run: every default filled in, every preset resolved,
every limit checked before a store is touched. Pure: the clock is passed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from timeseries.calendar import TooManyBuckets, tile
from timeseries.domain import (
    EVERYTHING,
    MAX_GROUP_FIELDS,
    MAX_GROUPS,
    MAX_POINTS,
    MAX_POINTS_PER_SERIES,
    Bucket,
    Field,
    Fill,
    Filter,
    Interval,
    SeriesQuery,
)
from timeseries.errors import QueryRefused, invalid_query
from timeseries.fields import parse_field
from timeseries.filters import both, parse_filter
from timeseries.intervals import AUTO, LADDER, automatic, least_length_ms, parse_interval
from timeseries.ranges import TimeRange, parse_range
from timeseries.series_metrics import parse_metrics

DEFAULT_RANGE = "24h"
DEFAULT_LIMIT = 10
_MEMBERS = (
    "range",
    "timezone",
    "interval",
    "week_start",
    "metrics",
    "filter",
    "group_by",
    "limit",
    "other",
    "fill",
)
_FILLS = tuple(fill.value for fill in Fill)
_WEEK_STARTS = {"monday": False, "sunday": True}


class QueryKind(StrEnum):
    """SERIES: points in time. TOTAL: one figure a metric. TOP: groups ranked by the first
    metric."""

    SERIES = "series"
    TOTAL = "total"
    TOP = "top"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks and when: `claim` is the token's own filter, ANDed to every query."""

    project: str
    now_ms: int
    claim: Filter = EVERYTHING


def parse_query(payload: object, kind: QueryKind, asker: Asker) -> SeriesQuery:
    """The query that `payload`, decoded JSON, asks for.

    Raises QueryRefused: `invalid_query` naming the part as a JSON path, `invalid_timezone`,
    `too_many_groups`, `too_many_buckets`.
    """
    members = object_of(payload, _MEMBERS)
    times = parse_range(
        members.get("range"),
        timezone=members.get("timezone"),
        now_ms=asker.now_ms,
        default=DEFAULT_RANGE,
    )
    group_by = _group_by(members.get("group_by"), kind)
    limit = _limit(members.get("limit"))
    other = _boolean(members.get("other"), "other")
    week_start_sunday = _week_start(members.get("week_start"))
    grid = _Grid(times, week_start_sunday, _most_buckets(group_by, limit, other=other))
    interval = parse_interval(members.get("interval", AUTO)) or grid.automatic()
    return SeriesQuery(
        project=asker.project,
        from_ms=times.from_ms,
        to_ms=times.to_ms,
        timezone=times.timezone,
        interval=interval,
        week_start_sunday=week_start_sunday,
        buckets=grid.buckets(interval) if kind is QueryKind.SERIES else (),
        metrics=parse_metrics(members.get("metrics")),
        filter=both(parse_filter(members.get("filter")), asker.claim),
        group_by=group_by,
        limit=limit,
        other=other,
        fill=_fill(members.get("fill")),
    )


def object_of(payload: object, names: Sequence[str]) -> Mapping[str, object]:
    """The members of a query, null ones left out. Raises QueryRefused for any but `names`."""
    if not isinstance(payload, dict):
        raise invalid_query("query", "a query is a JSON object")
    for name in payload:
        if name not in names:
            raise invalid_query(name, f"a query here has no {name!r}: it takes {', '.join(names)}")
    return {name: value for name, value in payload.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Grid:
    """The range and how many buckets it may be cut into."""

    times: TimeRange
    week_start_sunday: bool
    most: int

    def automatic(self) -> Interval:
        """The `auto` interval, or the smallest that the limits allow if that is larger."""
        wanted = automatic(self.times.to_ms - self.times.from_ms)
        return next(
            (step for step in LADDER[LADDER.index(wanted) :] if self._tile(step) is not None),
            LADDER[-1],
        )

    def buckets(self, interval: Interval) -> tuple[Bucket, ...]:
        """The buckets. Raises QueryRefused naming the smallest interval allowed."""
        tiled = self._tile(interval)
        if tiled is None:
            raise self._refusal(interval)
        return tiled

    def _tile(self, interval: Interval) -> tuple[Bucket, ...] | None:
        """None where there are too many."""
        length_ms = self.times.to_ms - self.times.from_ms
        if length_ms // (2 * least_length_ms(interval)) > self.most:
            return None
        try:
            return tile(
                self.times.from_ms,
                self.times.to_ms,
                interval,
                zone=self.times.zone,
                week_start_sunday=self.week_start_sunday,
                most=self.most,
            )
        except TooManyBuckets:
            return None

    def _refusal(self, interval: Interval) -> QueryRefused:
        larger = LADDER[LADDER.index(interval) + 1 :]
        allowed = next((step for step in larger if self._tile(step) is not None), None)
        advice = (
            f"the smallest interval allowed is {allowed}"
            if allowed
            else "no interval is large enough: ask for a shorter range or fewer groups"
        )
        detail = f"{interval} gives more than the {self.most} points that each series may have here"
        return QueryRefused("too_many_buckets", f"{detail}; {advice}", field="interval")


def _most_buckets(group_by: Sequence[Field], limit: int, *, other: bool) -> int:
    series = limit + other if group_by else 1
    return min(MAX_POINTS_PER_SERIES, MAX_POINTS // series)


def _group_by(value: object, kind: QueryKind) -> tuple[Field, ...]:
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list) or len(names) > MAX_GROUP_FIELDS:
        raise invalid_query("group_by", f"group_by takes a list of up to {MAX_GROUP_FIELDS} fields")
    if kind is QueryKind.TOP and not names:
        raise invalid_query("group_by", "group_by is missing: a ranking is of a field's values")
    fields = tuple(parse_field(name, f"group_by[{index}]") for index, name in enumerate(names))
    for index, field in enumerate(fields):
        if field in fields[:index]:
            raise invalid_query(f"group_by[{index}]", f"group_by[{index}] is there already")
    return fields


def _limit(value: object) -> int:
    if value is None:
        return DEFAULT_LIMIT
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise invalid_query("limit", f"limit takes a whole number from 1 to {MAX_GROUPS}")
    if value > MAX_GROUPS:
        raise QueryRefused(
            "too_many_groups", f"limit is {value}: at most {MAX_GROUPS} groups", field="limit"
        )
    return value


def _boolean(value: object, path: str) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise invalid_query(path, f"{path} takes true or false")


def _week_start(value: object) -> bool:
    if value is None:
        return False
    if not isinstance(value, str) or value not in _WEEK_STARTS:
        raise invalid_query("week_start", "week_start takes monday or sunday")
    return _WEEK_STARTS[value]


def _fill(value: object) -> Fill:
    if value is None:
        return Fill.ZERO
    if isinstance(value, str) and value in _FILLS:
        return Fill(value)
    raise invalid_query("fill", f"fill takes one of {', '.join(_FILLS)}")

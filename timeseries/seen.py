"""What a project has sent: names of events, properties, and values, for those who build queries.
Knows no HTTP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from timeseries.calendar import EARLIEST_MS, LATEST_MS, text_of, zone_of
from timeseries.domain import (
    EVERYTHING,
    Agg,
    Bucket,
    CoreField,
    Field,
    Fill,
    Filter,
    Interval,
    Metric,
    Scalar,
    SeriesQuery,
    Unit,
    field_name,
)
from timeseries.errors import invalid_query
from timeseries.fields import parse_field
from timeseries.filters import both, parse_filter
from timeseries.listing import parse_limit
from timeseries.parsing import Asker, object_of
from timeseries.payloads import (
    EventSeenOut,
    GroupMember,
    PropertySeenOut,
    SeenMeta,
    ValueSeenOut,
    ValuesSeen,
    WarningOut,
)
from timeseries.queries import View, plain
from timeseries.ranges import TimeRange, parse_range
from timeseries.resolution import Resolver, Slots

DEFAULT_SEEN = 100
MAX_SEEN = 1_000
MAX_PREFIX_CHARS = 200
_VALUE_MEMBERS = ("field", "prefix", "limit", "range", "timezone", "filter")


class PropertySeen(Protocol):
    """A property as the registry of timeseries/slots.py lists it."""

    @property
    def name(self) -> str:
        """With its `properties.` or `context.`."""

    @property
    def slot(self) -> int | None:
        """None beyond the limit."""

    @property
    def types(self) -> tuple[str, ...]:
        """Of string, number, boolean, array."""

    @property
    def examples(self) -> tuple[Scalar, ...]:
        """A few short values."""


class Registry(Slots, Protocol):
    """The slots, and a list of them."""

    def listing(self, project: str, generation: int) -> Sequence[PropertySeen]:
        """Every property remembered, by name."""


@dataclass(frozen=True, slots=True)
class ValueQuery:
    """Which values of which field."""

    asker: Asker
    field: Field
    prefix: str
    limit: int
    times: TimeRange
    where: Filter


def events_seen(
    asker: Asker, view: View, *, limit: int, timeout_s: float
) -> Sequence[EventSeenOut]:
    """Names of events by count, descending. To a token with a filter only what it may see, without
    the times, which no index has by filter."""
    if asker.claim != EVERYTHING:
        values = _values(
            ValueQuery(asker, CoreField.EVENT, "", limit, _all_times(), asker.claim),
            view,
            timeout_s=timeout_s,
        )
        return [EventSeenOut(str(value.value), value.count, None, None) for value in values.data]
    zone = zone_of("UTC")
    return [
        EventSeenOut(
            seen.event, seen.count, text_of(seen.first_ms, zone), text_of(seen.last_ms, zone)
        )
        for seen in view.store.events_seen(asker.project, generation=view.generation, limit=limit)
    ]


def properties_seen(asker: Asker, registry: Registry, generation: int) -> Sequence[PropertySeenOut]:
    """Every property by name. Examples are values of any event, so that a token with a filter gets
    none."""
    return [
        PropertySeenOut(
            name=seen.name,
            types=list(seen.types),
            examples=[] if asker.claim != EVERYTHING else list(map(_as_json, seen.examples)),
            queryable=seen.slot is not None,
            reason=None if seen.slot is not None else "over_limit",
        )
        for seen in registry.listing(asker.project, generation)
    ]


def _as_json(value: Scalar) -> GroupMember:
    return plain(value) if isinstance(value, float) else value


def parse_value_query(payload: object, asker: Asker) -> ValueQuery:
    """Raises QueryRefused naming the part."""
    members = object_of(payload, _VALUE_MEMBERS)
    if "field" not in members:
        raise invalid_query("field", "field is missing: whose values?")
    return ValueQuery(
        asker=asker,
        field=parse_field(members["field"], "field"),
        prefix=_prefix(members.get("prefix", "")),
        limit=parse_limit(members.get("limit"), default=DEFAULT_SEEN, most=MAX_SEEN),
        times=_times(members, asker),
        where=both(parse_filter(members.get("filter")), asker.claim),
    )


def _prefix(value: object) -> str:
    if isinstance(value, str) and len(value) <= MAX_PREFIX_CHARS:
        return value
    raise invalid_query("prefix", f"prefix takes at most {MAX_PREFIX_CHARS} characters")


def _times(members: Mapping[str, object], asker: Asker) -> TimeRange:
    if "range" not in members:
        return _all_times()
    return parse_range(
        members["range"], timezone=members.get("timezone"), now_ms=asker.now_ms, default="24h"
    )


def _all_times() -> TimeRange:
    return TimeRange(EARLIEST_MS, LATEST_MS, "UTC")


def values_seen(query: ValueQuery, view: View, *, timeout_s: float) -> ValuesSeen:
    """Values by count, descending. Raises QueryRefused, QueryTimeout, SeriesUnavailable."""
    return _values(query, view, timeout_s=timeout_s)


def _values(query: ValueQuery, view: View, *, timeout_s: float) -> ValuesSeen:
    resolver = Resolver(view.slots, query.asker.project, view.generation)
    found = view.store.values_seen(
        resolver.query(_as_series(query)),
        generation=view.generation,
        prefix=query.prefix,
        limit=query.limit,
        timeout_s=timeout_s,
    )
    return ValuesSeen(
        field=field_name(query.field),
        data=[ValueSeenOut(_as_json(seen.value), seen.count) for seen in found],
        next_cursor=None,
        warnings=[
            WarningOut(warning.code, warning.field, warning.detail)
            for warning in resolver.warnings.values()
        ],
        meta=SeenMeta(view.generation),
    )


def _as_series(query: ValueQuery) -> SeriesQuery:
    times = query.times
    return SeriesQuery(
        project=query.asker.project,
        from_ms=times.from_ms,
        to_ms=times.to_ms,
        timezone=times.timezone,
        interval=Interval(1, Unit.YEAR),
        week_start_sunday=False,
        buckets=(Bucket(times.from_ms, times.to_ms),),
        metrics=(Metric("count", Agg.COUNT),),
        filter=query.where,
        group_by=(query.field,),
        limit=query.limit,
        other=False,
        fill=Fill.ZERO,
    )

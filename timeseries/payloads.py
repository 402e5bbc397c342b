"""What query doors answer, as msgspec types: the JSON, and what the OpenAPI document says of it."""

from typing import Any

import msgspec

Figure = int | float | None
GroupMember = str | int | float | bool | None


class Point(msgspec.Struct, frozen=True):
    """One bucket: its calendar bounds with the zone's offset, and a figure a column."""

    start: str
    end: str
    v: tuple[Figure, ...]


class SeriesOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """One group over time; `group` is null for the rest, which has `other`."""

    group: dict[str, GroupMember] | None
    total: tuple[Figure, ...]
    points: list[Point]
    other: bool = False


class TotalOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """One group's figures over the whole range."""

    group: dict[str, GroupMember] | None
    total: tuple[Figure, ...]
    other: bool = False


class Approximate(msgspec.Struct, frozen=True):
    """The error that the engine states, relative for unique, of rank for percentiles."""

    error: float


class WarningOut(msgspec.Struct, frozen=True):
    """What to know about the answer."""

    code: str
    field: str
    detail: str


class AnswerMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the answer came about. `complete_through` is null when the feed cannot be asked."""

    complete_through: str | None
    generation: int
    approximate: dict[str, Approximate]
    warnings: list[WarningOut]
    source: str
    took_ms: int
    interval: str | msgspec.UnsetType = msgspec.UNSET


class RangeOut(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The range as it ran: absolute, in the zone's local time."""

    from_: str
    to: str
    timezone: str


class MetricOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric as it ran."""

    name: str
    agg: str
    field: str | None = None


class QueryOut(msgspec.Struct, frozen=True):
    """The query as it ran, every default filled in; sent back, it asks the same."""

    range: RangeOut
    interval: str
    week_start: str
    metrics: list[MetricOut]
    filter: list[Any] | None  # Any: the filter grammar is recursive
    group_by: list[str]
    limit: int
    other: bool
    fill: str


class SeriesAnswer(msgspec.Struct, frozen=True):
    """The answer of /v1/query/series."""

    columns: list[str]
    series: list[SeriesOut]
    meta: AnswerMeta
    query: QueryOut


class TotalAnswer(msgspec.Struct, frozen=True):
    """The answer of /v1/query/total and /v1/query/top: the groups in their rank."""

    columns: list[str]
    series: list[TotalOut]
    meta: AnswerMeta
    query: QueryOut


class EventSeenOut(msgspec.Struct, frozen=True):
    """An event's name, how many have it, and when the first and the last happened; the times are
    null to a token with a filter."""

    event: str
    count: int
    first_seen: str | None
    last_seen: str | None


class PropertySeenOut(msgspec.Struct, frozen=True):
    """A property; `reason` says why one cannot be queried: `over_limit`, all slots are taken."""

    name: str
    types: list[str]
    examples: list[GroupMember]
    queryable: bool
    reason: str | None


class ValueSeenOut(msgspec.Struct, frozen=True):
    """A value of the field and how many events have it."""

    value: GroupMember
    count: int


class SeenMeta(msgspec.Struct, frozen=True):
    """The generation of the view that answered."""

    generation: int


class EventsSeen(msgspec.Struct, frozen=True):
    """The answer of /v1/meta/events."""

    data: list[EventSeenOut]
    next_cursor: str | None
    meta: SeenMeta


class PropertiesSeen(msgspec.Struct, frozen=True):
    """The answer of /v1/meta/properties."""

    data: list[PropertySeenOut]
    next_cursor: str | None
    limit: int
    meta: SeenMeta


class ValuesSeen(msgspec.Struct, frozen=True):
    """The answer of /v1/meta/values."""

    field: str
    data: list[ValueSeenOut]
    next_cursor: str | None
    warnings: list[WarningOut]
    meta: SeenMeta


class EventOut(msgspec.Struct, frozen=True):
    """A whole event. One that the warehouse does not have yet has its key, its timestamp and
    `stored: false` alone."""

    key: str
    timestamp: str
    id: str | msgspec.UnsetType = msgspec.UNSET
    event: str | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET
    received_at: str | msgspec.UnsetType = msgspec.UNSET
    sent_at: str | None | msgspec.UnsetType = msgspec.UNSET
    transport: str | msgspec.UnsetType = msgspec.UNSET
    user_id: str | None | msgspec.UnsetType = msgspec.UNSET
    anonymous_id: str | None | msgspec.UnsetType = msgspec.UNSET
    session_id: str | None | msgspec.UnsetType = msgspec.UNSET
    properties: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    context: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    stored: bool | msgspec.UnsetType = msgspec.UNSET


class ListMeta(msgspec.Struct, frozen=True):
    """What to know about a list: the generation of the view that it is read in, and warnings."""

    generation: int
    warnings: list[WarningOut]


class EventList(msgspec.Struct, frozen=True):
    """The answer of /v1/query/events."""

    data: list[EventOut]
    next_cursor: str | None
    meta: ListMeta

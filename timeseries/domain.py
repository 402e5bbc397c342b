"""The query model: pure values, checked before any store is touched. Knows no HTTP and no engine.

Times are whole milliseconds UTC; buckets are half-open [start, end).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Scalar = str | float | bool
"""A JSON value that fields are compared with. The JSON type decides equality: 3.0 is not "3", True
is not 1.0."""

MAX_POINTS_PER_SERIES = 11_000
MAX_GROUPS = 100
MAX_POINTS = 200_000
MAX_FILTER_DEPTH = 8
MAX_FILTER_NODES = 100
MAX_GROUP_FIELDS = 3
MAX_METRICS = 20
QUERY_TIMEOUT_S = 10.0


class Agg(StrEnum):
    """Aggregations. COUNT and RATE (per second) take no field, all others one."""

    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    P50 = "p50"
    P75 = "p75"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"
    UNIQUE = "unique"
    RATE = "rate"


PERCENTILES: Mapping[Agg, float] = {
    Agg.P50: 0.50,
    Agg.P75: 0.75,
    Agg.P90: 0.90,
    Agg.P95: 0.95,
    Agg.P99: 0.99,
}


class CoreField(StrEnum):
    """Fields that every event has a place for; always strings."""

    EVENT = "event"
    TYPE = "type"
    USER_ID = "user_id"
    ANONYMOUS_ID = "anonymous_id"
    SESSION_ID = "session_id"


@dataclass(frozen=True, slots=True)
class PropertyField:
    """`properties.X` or `context.X`: `name` is the whole of it, X is all after the first dot.

    `slot` is where a generation keeps it; None before it is resolved, or when nobody ever sent it.
    """

    name: str
    slot: int | None = None


Field = CoreField | PropertyField


def field_name(field: Field) -> str:
    """The name as clients write it."""
    return field.value if isinstance(field, CoreField) else field.name


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of the answer."""

    name: str
    agg: Agg
    field: Field | None = None


class Compare(StrEnum):
    """Order comparisons: numbers with numbers, strings with strings by code point; other types
    never match."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


class TextMatch(StrEnum):
    """Substring comparisons on strings, case-sensitive, by code point."""

    CONTAINS = "contains"
    STARTS_WITH = "starts_with"


@dataclass(frozen=True, slots=True)
class Is:
    """The field has one of the values; an array matches by any element."""

    field: Field
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Matches:
    """The field has a string that contains, or starts with, one of the values."""

    field: Field
    match: TextMatch
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compares:
    """The field has a value beyond the bound; an array matches by any element."""

    field: Field
    compare: Compare
    value: str | float


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has any value."""

    field: Field


@dataclass(frozen=True, slots=True)
class And:
    """All of them; true when empty."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them; false when empty."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not so. `is_not` and `not_contains` are Not(Is) and Not(Matches): events without the field
    match them."""

    part: "Filter"


Filter = Is | Matches | Compares | Exists | And | Or | Not
EVERYTHING: Filter = And(())


class Fill(StrEnum):
    """What an empty bucket holds. ZERO: 0 for count, sum, unique, rate; null for the others. NULL:
    null for all."""

    ZERO = "zero"
    NULL = "null"
    NONE = "none"


class Unit(StrEnum):
    """Calendar and clock units of an interval."""

    SECOND = "s"
    MINUTE = "m"
    HOUR = "h"
    DAY = "d"
    WEEK = "w"
    MONTH = "mo"
    QUARTER = "q"
    YEAR = "y"


@dataclass(frozen=True, slots=True)
class Interval:
    """A bucket width: `count` units."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count}{self.unit.value}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A calendar-true bucket. `start_ms` and `end_ms` are its calendar bounds, which edge buckets
    keep;
    what counts is the intersection with the query's range."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """A whole query, as it runs: every default filled in, every preset resolved.

    `from_ms <= t < to_ms`. `buckets` tile the range in `timezone` (IANA name); none where totals
    alone are asked, in which case queries.py asks the store for one over the whole range. A store
    never meets Agg.RATE either: it is asked for COUNT, and queries.py divides.
    """

    project: str
    from_ms: int
    to_ms: int
    timezone: str
    interval: Interval
    week_start_sunday: bool
    buckets: tuple[Bucket, ...]
    metrics: tuple[Metric, ...]
    filter: Filter
    group_by: tuple[Field, ...]
    limit: int
    other: bool
    fill: Fill


GroupValue = tuple[Scalar | None, ...]
"""One value a group field; None where the event lacks it."""

Figures = tuple[float | int | None, ...]
"""One a metric, in the order of the query's metrics; None where there is nothing to say (avg of no
values)."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One series: its figures for the whole range and by bucket index. Buckets without events are
    absent.

    `other` marks the rest: events that match none of the groups shown; its `group` is then empty.
    """

    group: GroupValue
    total: Figures
    points: Mapping[int, Figures]
    other: bool = False


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What a store found. Groups are ranked by the first metric's total, descending, nulls last;
    ties by value.

    `source`: "rollup" or "documents". `approximate` gives, by metric name, the error the engine
    states.
    """

    groups: Sequence[GroupFigures]
    source: str
    approximate: Mapping[str, float]

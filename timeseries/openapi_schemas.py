"""The query as JSON Schema: what timeseries/parsing.py takes, as far as a schema can say it."""

from collections.abc import Mapping
from typing import Any

from timeseries.domain import (
    MAX_GROUP_FIELDS,
    MAX_GROUPS,
    MAX_METRICS,
    Agg,
    CoreField,
    Fill,
)
from timeseries.fields import MAX_NAME_CHARS as MAX_FIELD_CHARS
from timeseries.filters import MAX_TEXT_CHARS, MAX_VALUES
from timeseries.series_metrics import FIELDLESS, MAX_NAME_CHARS

Schema = dict[str, Any]  # Any: JSON Schema
PRESETS = ("24h", "7d", "30d", "today", "yesterday", "month", "year")
_CORE = [field.value for field in CoreField]
_NUMERIC = [agg.value for agg in Agg if agg not in FIELDLESS and agg is not Agg.UNIQUE]
_NULL: Schema = {"type": "null"}


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def query_schemas() -> Mapping[str, Schema]:
    """Components: the query of each door, and what they are made of."""
    return {
        "Field": _FIELD,
        "PropertyField": _PROPERTY,
        "Time": _TIME,
        "Timezone": _TIMEZONE,
        "Range": _range(),
        "Interval": _INTERVAL,
        "Metric": _metric(),
        "Filter": _filter("FilterPart") | _FILTER_TEXT,
        "FilterPart": _filter("FilterLeaf"),
        "FilterLeaf": {"anyOf": _leaves()},
        "SeriesQuery": _query(needs_group=False),
        "TopQuery": _query(needs_group=True),
    }


def shape_schemas() -> Mapping[str, Schema]:
    """Components: the answer with `shape=rows` and with `shape=columns`."""
    figure: Schema = {"type": ["number", "null"]}
    text: Schema = {"type": "string"}
    row: Schema = {
        "type": "object",
        "description": "One time, group and metric; beside these the group's fields.",
        "properties": {"time": text, "series": text, "metric": text, "value": figure},
        "required": ["series", "metric", "value"],
    }
    line = _object(
        {"name": text, "values": {"type": "array", "items": figure}}, required=("name", "values")
    )
    columns = _object(
        {
            "time": {"type": "array", "items": {"type": "integer"}, "description": "Epoch ms."},
            "series": {"type": "array", "items": line},
        },
        required=("time", "series"),
    )
    return {"Rows": {"type": "array", "items": row}, "Columns": columns}


def _or_null(*schemas: Schema) -> Schema:
    return {"anyOf": [*schemas, _NULL]}


def _object(members: Mapping[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": dict(members),
        "additionalProperties": False,
    }
    return schema | ({"required": list(required)} if required else {})


_PROPERTY: Schema = {
    "type": "string",
    "description": "All after the first dot is the name; nested objects flatten with dots.",
    "pattern": r"^(properties|context)\.[\s\S]+$",
    "maxLength": MAX_FIELD_CHARS,
}
_FIELD: Schema = {"anyOf": [{"type": "string", "enum": _CORE}, ref("PropertyField")]}
_TIME: Schema = {
    "description": "Epoch milliseconds; or a date, a local time, or RFC 3339 with an offset.",
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": 7_258_118_400_000},
        {"type": "string", "examples": ["2026-11-01", "2026-11-01T10:00", "2026-11-01T10:00:00Z"]},
    ],
}
_TIMEZONE: Schema = {
    "type": "string",
    "description": "An IANA name.",
    "examples": ["Europe/Berlin"],
}
_INTERVAL: Schema = {
    "type": "string",
    "description": "1s 10s 1m 5m 15m 30m 1h 3h 6h 12h 1d 1w 1mo 1q 1y or auto; any other duration "
    "up to a year becomes the next larger of these.",
    "pattern": "^(auto|[1-9][0-9]{0,8}(s|m|h)|[1-9][0-9]?(d|w|mo|q)|1y)$",
    "examples": ["auto", "1h", "1d"],
}


def _range() -> Schema:
    preset: Schema = {"type": "string", "enum": list(PRESETS)}
    absent = {"preset": _NULL, "from": _NULL, "to": _NULL, "timezone": _or_null(ref("Timezone"))}
    named = _object(absent | {"preset": preset}, required=("preset",))
    times = {"from": ref("Time"), "to": _or_null(ref("Time"))}
    return {
        "description": "from ≤ t < to; without `to` it ends now. 24h, 7d and 30d roll, the other "
        "presets are whole calendar periods in the time zone. 24h unless told.",
        "anyOf": [preset, _object(absent | times, required=("from",)), named, _object(absent)],
    }


def _metric() -> Schema:
    name = _or_null({"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS})
    fieldless = _object(
        {"name": name, "agg": {"enum": sorted(FIELDLESS)}, "field": _NULL}, required=("agg",)
    )
    unique = _object(
        {"name": name, "agg": {"enum": [Agg.UNIQUE.value]}, "field": ref("Field")},
        required=("agg", "field"),
    )
    numeric = _object(
        {"name": name, "agg": {"enum": _NUMERIC}, "field": ref("PropertyField")},
        required=("agg", "field"),
    )
    return {"anyOf": [fieldless, unique, numeric]}


def _operation(operators: list[str], *operands: Schema) -> Schema:
    items: list[Schema] = [{"enum": operators}, *operands]
    return {
        "type": "array",
        "prefixItems": items,
        "items": False,
        "minItems": len(items),
        "maxItems": len(items),
    }


_FILTER_TEXT: Schema = {
    "description": "Depth at most 8, at most 100 operators; three levels are written out here. The "
    "JSON type decides equality. Contains and starts_with are case-sensitive, by code point.",
    "examples": [["is", "event", ["signup"]], ["not", ["exists", "user_id"]]],
}


def _filter(part: str) -> Schema:
    """One level of the grammar over another, not over itself: generators of requests and clients
    lose their way in recursive arrays."""
    joined: Schema = {
        "type": "array",
        "prefixItems": [{"enum": ["and", "or"]}],
        "items": ref(part),
        "minItems": 1,
    }
    return {"anyOf": [*_leaves(), _operation(["not"], ref(part)), joined]}


def _leaves() -> list[Schema]:
    text: Schema = {"type": "string", "maxLength": MAX_TEXT_CHARS}
    scalar: Schema = {"anyOf": [text, {"type": "number"}, {"type": "boolean"}]}
    several: Schema = {"type": "array", "minItems": 1, "maxItems": MAX_VALUES}
    core: Schema = {"enum": _CORE}
    texts: Schema = {"anyOf": [text, several | {"items": text}]}
    scalars: Schema = {"anyOf": [*scalar["anyOf"], several | {"items": scalar}]}
    bound: Schema = {"anyOf": [text, {"type": "number"}]}
    return [
        _operation(["is", "is_not"], core, texts),
        _operation(["is", "is_not"], ref("PropertyField"), scalars),
        _operation(["contains", "not_contains", "starts_with"], ref("Field"), texts),
        _operation(["gt", "gte", "lt", "lte"], core, text),
        _operation(["gt", "gte", "lt", "lte"], ref("PropertyField"), bound),
        _operation(["exists"], ref("Field")),
    ]


def _query(*, needs_group: bool) -> Schema:
    fields: Schema = {
        "type": "array",
        "items": ref("Field"),
        "maxItems": MAX_GROUP_FIELDS,
        "uniqueItems": True,
    }
    if needs_group:
        group_by: Schema = {"anyOf": [ref("Field"), fields | {"minItems": 1}]}
    else:
        group_by = _or_null(ref("Field"), fields)
    metrics: Schema = {
        "type": "array",
        "items": ref("Metric"),
        "minItems": 1,
        "maxItems": MAX_METRICS,
    }
    members: dict[str, Schema] = {
        "range": _or_null(ref("Range")),
        "timezone": _or_null(ref("Timezone")),
        "interval": _or_null(ref("Interval")),
        "week_start": {"enum": ["monday", "sunday", None]},
        "metrics": _or_null(metrics),
        "filter": _or_null(ref("Filter")),
        "group_by": group_by,
        "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_GROUPS},
        "other": {"type": ["boolean", "null"]},
        "fill": {"enum": [*(fill.value for fill in Fill), None]},
    }
    schema = _object(members, required=("group_by",) if needs_group else ())
    example = {"range": "7d", "interval": "1h", "metrics": [{"name": "n", "agg": "count"}]}
    return schema | {"examples": [example | ({"group_by": ["event"]} if needs_group else {})]}

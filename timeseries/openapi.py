"""This context's part of the OpenAPI document, made from its msgspec types and the query's
schema."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from access.openapi import problem_response
from timeseries.domain import MAX_GROUPS
from timeseries.formats import CONTENT_TYPES, Format
from timeseries.listing import MAX_EVENTS
from timeseries.openapi_schemas import PRESETS, Schema, query_schemas, ref, shape_schemas
from timeseries.parsing import QueryKind
from timeseries.payloads import (
    EventList,
    EventsSeen,
    PropertiesSeen,
    SeriesAnswer,
    TotalAnswer,
    ValuesSeen,
)
from timeseries.seen import MAX_PREFIX_CHARS, MAX_SEEN
from timeseries.views import MOST_DIGITS

_TYPES = (SeriesAnswer, TotalAnswer, EventList, EventsSeen, PropertiesSeen, ValuesSeen)
_SUMMARIES = {
    QueryKind.SERIES: "Metrics over time, in calendar-true buckets",
    QueryKind.TOTAL: "Metrics over the whole range: one figure each",
    QueryKind.TOP: "Groups ranked by the first metric",
}


def fragment() -> dict[str, Any]:
    """`{"paths", "components"}` as OpenAPI 3.1."""
    _, answers = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for kind in QueryKind:
        paths[f"/v1/query/{kind}"] = _query_path(kind)
        paths[f"/v1/query/{kind}.{{suffix}}"] = _query_path(kind, with_suffix=True)
    paths["/v1/query/events"] = _events_path()
    paths["/v1/query/events.{suffix}"] = _events_path(with_suffix=True)
    return {
        "paths": paths | _meta_paths(),
        "components": {"schemas": {**answers, **query_schemas(), **shape_schemas()}},
    }


def _query_path(kind: QueryKind, *, with_suffix: bool = False) -> dict[str, Any]:
    shapes = ["rows", "columns"] if kind is QueryKind.SERIES else ["rows"]
    shape = _parameter("shape", {"enum": shapes}, "Another layout, as chart libraries take it.")
    suffix = [_SUFFIX] if with_suffix else []
    name = f"{kind}{'As' if with_suffix else ''}"
    body = ref("TopQuery" if kind is QueryKind.TOP else "SeriesQuery")
    answer = _answer(kind)
    short = _short_form(needs_group=kind is QueryKind.TOP)
    return {
        "post": {
            "operationId": f"{name}Query",
            "summary": _SUMMARIES[kind],
            "tags": ["query"],
            "security": [{"token": []}],
            "parameters": [*suffix, shape, _GENERATION],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": _responses(answer, with_body=True),
        },
        "get": {
            "operationId": f"{name}QueryByAddress",
            "summary": f"{_SUMMARIES[kind]}: the short form, or `query` with the JSON of the POST",
            "tags": ["query"],
            "security": [{"token": []}],
            "parameters": [*suffix, *short, shape, _GENERATION, _QUERY, _IF_NONE_MATCH],
            "responses": _responses(answer, with_tag=True),
        },
    }


def _answer(kind: QueryKind) -> Schema:
    """The answer in each of its shapes."""
    if kind is QueryKind.SERIES:
        return {"anyOf": [ref("SeriesAnswer"), ref("Rows"), ref("Columns")]}
    return {"anyOf": [ref("TotalAnswer"), ref("Rows")]}


def _events_path(*, with_suffix: bool = False) -> dict[str, Any]:
    names = ("event", "range", "from", "to", "timezone", "filter")
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_EVENTS}
    return {
        "get": {
            "operationId": f"listEvents{'As' if with_suffix else ''}",
            "summary": "The events themselves, newest first",
            "tags": ["query"],
            "security": [{"token": []}],
            "parameters": [
                *([_SUFFIX] if with_suffix else []),
                *(_SHORT[name] for name in names),
                _parameter("limit", limit, "How many; 50 unless told."),
                _parameter("cursor", {"type": "string"}, "`next_cursor` of the page before."),
                _GENERATION,
                _QUERY,
                _IF_NONE_MATCH,
            ],
            "responses": _responses(ref("EventList"), with_tag=True)
            | {
                "410": problem_response("cursor_expired: its generation was dropped"),
            },
        }
    }


def _meta_paths() -> dict[str, Any]:
    limit = _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_SEEN}, "How many.")
    prefix = _parameter(
        "prefix", {"type": "string", "maxLength": MAX_PREFIX_CHARS}, "What strings start with."
    )
    field = _parameter("field", ref("Field"), "Whose values.") | {"required": True}
    narrowing = [_SHORT[name] for name in ("event", "range", "from", "to", "timezone", "filter")]
    return {
        "/v1/meta/events": _meta_path("Names of events seen", "EventsSeen", [limit]),
        "/v1/meta/properties": _meta_path(
            "Properties seen: types, examples, what is not queryable and why", "PropertiesSeen", []
        ),
        "/v1/meta/values": _meta_path(
            "Values of a field by count", "ValuesSeen", [field, prefix, limit, *narrowing]
        ),
    }


def _meta_path(summary: str, answer: str, parameters: Sequence[Schema]) -> dict[str, Any]:
    responses = _responses(ref(answer))
    responses["200"] = {
        "description": summary,
        "content": {"application/json": {"schema": ref(answer)}},
    }
    return {
        "get": {
            "operationId": f"list{answer}",
            "summary": summary,
            "tags": ["query"],
            "security": [{"token": []}],
            "parameters": [*parameters, _GENERATION],
            "responses": responses,
        }
    }


def _parameter(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _repeated(name: str, item: Schema, description: str) -> Schema:
    schema = {"type": "array", "items": item}
    return _parameter(name, schema, description) | {"style": "form", "explode": True}


_SUFFIX: Schema = {
    "name": "suffix",
    "in": "path",
    "required": True,
    "description": "The format, whatever Accept says.",
    "schema": {"enum": [form.value for form in Format]},
}
_QUERY = _parameter("query", {"type": "string"}, "The query as JSON, instead of the short form.")
_GENERATION = _parameter(
    "generation",
    {"type": "integer", "minimum": 1, "maximum": 10**MOST_DIGITS - 1},
    "The generation of the view to read, of those that are not dropped; the one that is served"
    " unless told. `meta.generation` says which one answered.",
)
_IF_NONE_MATCH: Schema = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The tag of an answer in hand: 304 while it holds.",
    "schema": {"type": "string"},
}
_SHORT: Mapping[str, Schema] = {
    "metric": _repeated("metric", {"type": "string"}, "`agg` or `agg:field`; a count unless told."),
    "event": _repeated("event", {"type": "string"}, "Names of events."),
    "range": _parameter("range", {"enum": list(PRESETS)}, "A preset, instead of from and to."),
    "from": _parameter("from", ref("Time"), "The first instant."),
    "to": _parameter("to", ref("Time"), "Past the last instant; now unless told."),
    "timezone": _parameter("timezone", ref("Timezone"), "UTC unless told."),
    "interval": _parameter("interval", ref("Interval"), "The width of buckets; auto unless told."),
    "week_start": _parameter("week_start", {"enum": ["monday", "sunday"]}, "Of weeks."),
    "group_by": _repeated("group_by", ref("Field"), "Up to 3 fields."),
    "limit": _parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": MAX_GROUPS}, "How many groups."
    ),
    "other": _parameter("other", {"type": "boolean"}, "The rest as a group of its own."),
    "fill": _parameter("fill", {"enum": ["zero", "null", "none"]}, "What empty buckets hold."),
    "filter": _parameter("filter", {"type": "string"}, "A filter as JSON."),
}


def _short_form(*, needs_group: bool) -> list[Schema]:
    """`query` may stand instead of any of them, so that none can be said to be required."""
    group = {"description": "Up to 3 fields; needed unless `query` says them."}
    return [
        parameter | group if needs_group and name == "group_by" else parameter
        for name, parameter in _SHORT.items()
    ]


def _responses(
    answer: Schema, *, with_body: bool = False, with_tag: bool = False
) -> dict[str, Any]:
    texts: Schema = {"type": "string"}
    content = {
        CONTENT_TYPES[Format.JSON]: {"schema": answer},
        "text/csv": {"schema": texts},
        CONTENT_TYPES[Format.NDJSON]: {"schema": texts},
    }
    responses: dict[str, Any] = {
        "200": {"description": "The answer", "content": content},
        "400": problem_response("invalid_json: the query is no JSON"),
        "401": problem_response("No credential, or one that proves nothing"),
        "403": problem_response("missing_scope or scope_not_granted"),
        "404": problem_response("not_found: no such generation of the view, or no such format"),
        "422": problem_response("Readable, but it can't run; `errors` names the part"),
        "503": problem_response("index_unavailable or store_unavailable: see Retry-After"),
        "504": problem_response("query_timeout"),
    }
    if with_tag:
        responses["304"] = {"description": "The answer in hand holds"}
    if with_body:
        responses["408"] = problem_response("request_timeout: the body did not arrive")
        responses["413"] = problem_response("payload_too_large")
        responses["415"] = problem_response("unsupported_media_type or unsupported_encoding")
    return responses

"""Ingest's part of the OpenAPI document, made from its msgspec types."""

from typing import Annotated, Any

import msgspec

from access.openapi import problem_response
from ingest.api.bodies import MAX_BATCH_EVENTS
from ingest.api.parameters import DEFAULT_WAIT_S, MAX_WAIT_S
from ingest.payloads import Counts, EventPayload, EventsAnswer, Level, LimitsAnswer, RowResult

_REF = "#/components/schemas/{name}"
_OBJECT_RULES = (
    "A JSON object: depth at most 20, names of 1 to 200 characters, each once; finite numbers, "
    "integers within 64 bit; no NUL, no lone surrogate."
)
_TIME_RULES = "RFC 3339 with an offset, or epoch milliseconds"
_OBJECT = Annotated[dict[str, Any] | None, msgspec.Meta(description=_OBJECT_RULES)]
_TIME: dict[str, Any] = {
    "description": f"{_TIME_RULES}; from 2000 to 24 h ahead.",
    "anyOf": [{"type": "integer"}, {"type": "string", "format": "date-time"}, {"type": "null"}],
    "default": None,
}


def fragment() -> dict[str, Any]:
    """`{"paths", "components"}` as OpenAPI 3.1."""
    types = (_event_type(), EventsAnswer, LimitsAnswer, Counts, RowResult)
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    schemas["EventPayload"]["properties"]["timestamp"] = _TIME
    return {
        "paths": {"/v1/events": {"post": _events()}, "/v1/limits": {"get": _limits()}},
        "components": {"schemas": {**schemas, "AllRejected": _ALL_REJECTED, "Batch": _BATCH}},
    }


def _event_type() -> type[msgspec.Struct]:
    """EventPayload with objects where it carries raw text; unknown names are a warning there, so
    they are allowed here."""
    members = [
        (field.name, _OBJECT, None)
        if field.type is msgspec.Raw
        else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(EventPayload)
    ]
    return msgspec.defstruct("EventPayload", members)


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(name=name)}


def _json(name: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def _events() -> dict[str, Any]:
    return {
        "operationId": "sendEvents",
        "summary": "Send events",
        "description": "One event, an array, a batch object, or NDJSON; gzip. Each row has a result"
        " of its own: one bad row never spoils its neighbours. A write key learns of `logged` at "
        "most.",
        "tags": ["ingest"],
        "security": [{"token": []}, {"writeKey": []}, {"writeKeyUser": []}],
        "parameters": _PARAMETERS,
        "requestBody": {"required": True, "content": _BODIES},
        "responses": _RESPONSES,
    }


def _limits() -> dict[str, Any]:
    return {
        "operationId": "limits",
        "summary": "The limits in force",
        "tags": ["ingest"],
        "security": [],
        "responses": {"200": _json("LimitsAnswer", "The limits in force")},
    }


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


_SWITCH = {"type": "string", "enum": ["1", "0", "true", "false"]}
_PARAMETERS = [
    _query(
        "ack",
        {"type": "string", "enum": [level.value for level in Level], "default": "logged"},
        "Answer once every admitted event has come this far, or the wait is over.",
    ),
    _query(
        "wait",
        {
            "type": "number",
            "minimum": 0,
            "maximum": int(MAX_WAIT_S),
            "default": int(DEFAULT_WAIT_S),
        },
        "Seconds to wait for a level above logged; then 200 with `ack` naming the level reached.",
    ),
    _query("dry_run", _SWITCH, "Admit only: nothing is published."),
    _query("summary", _SWITCH, "Leave ok rows out of the results."),
]
# Rows of an array are any JSON here: a row that is no event is answered in its result.
_ROWS: dict[str, Any] = {
    "type": "array",
    "description": "Each row an EventPayload; one that is not gets result `rejected`. At most "
    f"{MAX_BATCH_EVENTS} rows, else 413.",
    "minItems": 1,
    "items": {},
}
_BATCH: dict[str, Any] = {
    "title": "Batch",
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": _ROWS,
        "sent_at": {
            "description": "RFC 3339 with an offset or epoch milliseconds; recorded, not applied.",
            "anyOf": [
                {"type": "integer"},
                {"type": "string", "format": "date-time"},
                {"type": "null"},
            ],
        },
    },
}
_BODIES = {
    "application/json": {"schema": {"anyOf": [_ref("EventPayload"), _ROWS, _ref("Batch")]}},
    "application/x-ndjson": {
        "schema": {"type": "string", "description": "One EventPayload a line."}
    },
}
_RETRY_AFTER = {
    "Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Whole seconds."}
}
_RESPONSES = {
    "200": _json("EventsAnswer", "Every row is ok, warning or rejected"),
    "400": {
        "description": "Unreadable (invalid_json, invalid_batch, empty_batch, invalid_timestamp of "
        "sent_at, invalid_query), or all_rejected",
        "content": {
            "application/problem+json": {
                "schema": {"anyOf": [_ref("AllRejected"), _ref("Problem")]}
            }
        },
    },
    "401": problem_response("No credential, or one that proves nothing"),
    "403": problem_response("missing_scope, scope_not_granted or origin_not_allowed"),
    "408": problem_response("request_timeout: the body did not arrive in time"),
    "413": problem_response("payload_too_large (also inflated) or too_many_events"),
    "415": problem_response("unsupported_media_type or unsupported_encoding"),
    "503": {
        "description": "At least one row is `retry`: send all again, or those rows",
        "headers": _RETRY_AFTER,
        "content": {
            "application/json": {"schema": _ref("EventsAnswer")},
            "application/problem+json": {"schema": _ref("Problem")},
        },
    },
}
_ALL_REJECTED: dict[str, Any] = {
    "title": "AllRejected",
    "description": "A Problem with code all_rejected: no row is an event.",
    "allOf": [
        _ref("Problem"),
        {
            "type": "object",
            "required": ["received_at", "counts", "results"],
            "properties": {
                "received_at": {"type": "string"},
                "counts": _ref("Counts"),
                "results": {"type": "array", "items": _ref("RowResult")},
            },
        },
    ],
}

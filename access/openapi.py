"""This context's part of the OpenAPI document, and the parts that every other one refers to."""

from typing import Any

import msgspec

from access.problems import Code
from access.whoami import Whoami

_REF = "#/components/schemas/{name}"


def problem_response(description: str) -> dict[str, Any]:
    """A response whose body is a problem document."""
    schema = {"$ref": _REF.format(name="Problem")}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


def fragment() -> dict[str, Any]:
    """`{"paths", "components"}` as OpenAPI 3.1."""
    _, schemas = msgspec.json.schema_components((Whoami,), ref_template=_REF)
    return {
        "paths": {"/v1/whoami": {"get": _whoami()}},
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _whoami() -> dict[str, Any]:
    schema = {"$ref": _REF.format(name="Whoami")}
    return {
        "operationId": "whoami",
        "summary": "What the presented credential proves",
        "tags": ["access"],
        "security": [{"token": []}, {"writeKey": []}, {"writeKeyUser": []}],
        "responses": {
            "200": {
                "description": "A good credential",
                "content": {"application/json": {"schema": schema}},
            },
            "401": problem_response("No credential, or one that proves nothing"),
            "403": problem_response("scope_not_granted or origin_not_allowed"),
            "503": problem_response("The keys are not loaded yet"),
        },
    }


_SECURITY_SCHEMES: dict[str, Any] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token that the client signed itself with a key of its project.",
    },
    "writeKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Write-Key",
        "description": "Opens sending alone.",
    },
    "writeKeyUser": {
        "type": "http",
        "scheme": "basic",
        "description": "A write key as the user name, with an empty password.",
    },
}
_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457. Some codes add members of their own.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": [code.value for code in Code]},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code"],
                "properties": {
                    "index": {"type": "integer"},
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}

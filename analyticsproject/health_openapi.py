"""The health doors' part of the OpenAPI document."""

from typing import Any

from access.openapi import problem_response

Fragment = dict[str, Any]  # Any: JSON


def fragment() -> Fragment:
    """`{"paths"}` as OpenAPI 3.1."""
    unready = {"503": _json("An engine is missing that this process needs", _READINESS)}
    return {
        "paths": {
            "/healthz": _get("healthz", "Whether the process lives", _json("It does", _ALIVE)),
            "/readyz": _get(
                "readyz",
                "Whether this process can do its work, engine by engine",
                _json("It can; `degraded` names what is missing beside", _READINESS),
                unready,
            ),
            "/metrics": _get(
                "metrics",
                "This process's metrics, as Prometheus reads them",
                {"description": "Text", "content": {"text/plain": {"schema": _TEXT}}},
                {
                    "401": problem_response("No credential, or one that proves nothing"),
                    "403": problem_response("The credential lacks the scope operate"),
                    "503": problem_response("The keys are not loaded yet"),
                },
                security=[{"token": []}],
            ),
        }
    }


def _get(
    name: str,
    summary: str,
    good: Fragment,
    others: Fragment | None = None,
    *,
    security: list[dict[str, list[str]]] | None = None,
) -> Fragment:
    operation = {
        "operationId": name,
        "summary": summary,
        "tags": ["operations"],
        "security": security or [],
        "responses": {"200": good, **(others or {})},
    }
    return {"get": operation}


def _json(description: str, schema: Fragment) -> Fragment:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_TEXT: Fragment = {"type": "string"}
_ALIVE: Fragment = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"const": "ok"}},
}
_READINESS: Fragment = {
    "type": "object",
    "required": ["status", "serve", "engines"],
    "properties": {
        "status": {"enum": ["ready", "degraded", "unavailable"]},
        "serve": {"type": "array", "items": {"enum": ["ingest", "query", "admin"]}},
        "engines": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["status", "needed", "took_ms"],
                "properties": {
                    "status": {"enum": ["ok", "degraded", "unavailable"]},
                    "needed": {"type": "boolean"},
                    "took_ms": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

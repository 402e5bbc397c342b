"""This context's part of the OpenAPI document that its DRF views do not give: the bodies."""

from typing import Any

import msgspec

from operations.reconcile.payloads import RepairRequest


def fragment() -> dict[str, Any]:
    """`{"components"}` as OpenAPI 3.1."""
    _, schemas = msgspec.json.schema_components(
        (RepairRequest,), ref_template="#/components/schemas/{name}"
    )
    return {"components": {"schemas": schemas}}

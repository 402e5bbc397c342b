"""Ingest's part of the OpenAPI document."""

import json
import re

import access.openapi
from ingest.openapi import fragment
from ingest.payloads import EventPayload, RowResult


def test_every_reference_points_at_a_schema() -> None:
    known = set(fragment()["components"]["schemas"])
    known |= set(access.openapi.fragment()["components"]["schemas"])
    found = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(fragment())))
    assert found <= known


def test_the_schemas_have_the_members_of_the_types() -> None:
    schemas = fragment()["components"]["schemas"]
    assert set(schemas["EventPayload"]["properties"]) == set(EventPayload.__struct_fields__)
    assert schemas["EventPayload"]["required"] == ["event"]
    assert set(schemas["RowResult"]["properties"]) == set(RowResult.__struct_fields__)


def test_every_status_of_the_contract_is_described() -> None:
    statuses = set(fragment()["paths"]["/v1/events"]["post"]["responses"])
    assert statuses == {"200", "400", "401", "403", "408", "413", "415", "503"}

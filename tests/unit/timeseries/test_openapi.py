"""The document says what the doors take and give: examples and refusals are judged by it."""

from typing import Any

import jsonschema_rs
import pytest

from timeseries.errors import QueryRefused
from timeseries.openapi import fragment
from timeseries.parsing import Asker, QueryKind, parse_query


def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    root = fragment() | {"$ref": f"#/components/schemas/{name}"}
    return jsonschema_rs.Draft202012Validator(root)


GOOD: list[dict[str, Any]] = [
    {},
    {"range": None, "filter": None, "metrics": None, "group_by": None, "fill": None},
    {"range": {}},
    {"range": {"timezone": "UTC", "from": None}},
    {"range": "today", "timezone": "Europe/Berlin"},
    {"range": {"preset": "7d", "timezone": "UTC"}, "interval": "2h"},
    {"range": {"from": 0, "to": "1970-01-02T00:00:00+01:00"}, "week_start": "sunday"},
    {"metrics": [{"agg": "count"}, {"agg": "rate", "name": "r"}]},
    {"metrics": [{"agg": "unique", "field": "user_id"}, {"agg": "p95", "field": "context.a.b"}]},
    {"filter": ["and", ["is", "event", "a"], ["not", ["gte", "properties.x", 3]], ["or"]]},
    {"filter": ["not_contains", "type", ["a", "b"]], "group_by": ["event", "properties.x"]},
    {"group_by": "event", "limit": 100, "other": True, "fill": "none"},
]
BAD: list[dict[str, Any]] = [
    {"colour": 1},
    {"range": "fortnight"},
    {"range": {"to": 5}},
    {"range": {"from": 0, "preset": "24h"}},
    {"interval": "0m"},
    {"interval": "5y"},
    {"metrics": []},
    {"metrics": [{"agg": "count", "field": "event"}]},
    {"metrics": [{"agg": "sum", "field": "user_id"}]},
    {"metrics": [{"agg": "median"}]},
    {"filter": ["is", "event", [3]]},
    {"filter": ["is", "properties.x", []]},
    {"filter": ["exists"]},
    {"filter": ["not"]},
    {"filter": []},
    {"group_by": ["event", "event"]},
    {"group_by": ["colour"]},
    {"limit": 0},
    {"limit": 101},
    {"other": "yes"},
    {"fill": "linear"},
]


@pytest.mark.parametrize("query", GOOD)
def test_what_runs_is_in_the_schema(query: dict[str, Any]) -> None:
    assert parse_query(query, QueryKind.SERIES, Asker("demo", 0))
    assert _validator("SeriesQuery").is_valid(query)


@pytest.mark.parametrize("query", BAD)
def test_what_is_refused_is_not_in_the_schema(query: dict[str, Any]) -> None:
    with pytest.raises(QueryRefused):
        parse_query(query, QueryKind.SERIES, Asker("demo", 0))
    assert not _validator("SeriesQuery").is_valid(query)


def test_a_ranking_needs_a_group_in_the_schema_too() -> None:
    assert not _validator("TopQuery").is_valid({})
    assert _validator("TopQuery").is_valid({"group_by": "event"})


def test_every_reference_resolves_and_every_operation_has_a_name_of_its_own() -> None:
    document = fragment()
    names = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(names) == len(set(names))
    schemas = set(document["components"]["schemas"]) | {"Problem"}
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for part in node.values() for found in _references(part)]
    if isinstance(node, list):
        return [found for part in node for found in _references(part)]
    return []

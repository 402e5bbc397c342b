"""`GET /v1/reconcile`: whose, which pages, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from access.claims import Scope
from feed.event import HOUR_MS, key_text
from operations.reconcile import paging
from tests.builders import NOON_MS, make_event
from tests.damage import EmbeddedDamage
from tests.key_builders import ProjectKeys, tell_doors
from tests.local_pipeline import LocalPipeline
from timeseries.backends import SERIES_STORE
from warehouse.backends import EVENT_STORE

GRANTED = frozenset({Scope.REPAIR, Scope.QUERY})


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> ProjectKeys:
    """The project demo with a key that grants repair."""
    keys = ProjectKeys(granted=GRANTED)
    tell_doors(monkeypatch, keys)
    return keys


def ask(keys: ProjectKeys, **query: str) -> tuple[int, dict[str, Any]]:
    response = Client().get("/v1/reconcile", query, headers=keys.bearer(Scope.REPAIR))
    return response.status_code, response.json()


def test_the_hours_of_the_tokens_project_are_compared(
    pipeline: LocalPipeline, keys: ProjectKeys, tmp_path: Path
) -> None:
    events = [make_event(occurred_at_ms=NOON_MS + index * HOUR_MS) for index in range(3)]
    pipeline.publish_events([*events, make_event(project="other", occurred_at_ms=NOON_MS)])
    pipeline.store()
    pipeline.project()
    EmbeddedDamage(tmp_path, "demo").delete(events[1].key)

    status, said = ask(keys)

    assert (status, said["project"], said["generation"]) == (200, "demo", 1)
    assert (said["state"], said["lag"], said["next_cursor"]) == ("different", None, None)
    assert [(hour["state"], hour["counts"]["view"]) for hour in said["data"]] == [
        ("same", 1),
        ("different", 0),
        ("same", 1),
    ]
    (difference,) = said["data"][1]["differences"]
    assert (difference["key"], difference["kind"]) == (key_text(events[1].key), "missing")
    assert said["counts"]["warehouse"] == said["hours"] == 3


def test_what_the_view_refuses_is_a_figure_of_its_own(
    pipeline: LocalPipeline, keys: ProjectKeys
) -> None:
    pipeline.publish_events([make_event(), make_event(properties="[]")])
    pipeline.store()
    pipeline.project()

    _, said = ask(keys)

    assert (said["state"], said["counts"]["missing"], said["counts"]["refused"]) == ("same", 0, 1)


def test_pages_of_hours_are_followed_by_cursor(pipeline: LocalPipeline, keys: ProjectKeys) -> None:
    events = [make_event(occurred_at_ms=NOON_MS + index * HOUR_MS) for index in range(6)]
    pipeline.publish_events(events)
    pipeline.store()
    pipeline.project()
    asked = {"from": "2026-11-01T12:30:00Z", "to": "2026-11-01T17:00:00Z", "limit": "2"}

    pages = [ask(keys, **asked)[1]]
    while pages[-1]["next_cursor"] is not None:
        pages.append(ask(keys, **asked, cursor=pages[-1]["next_cursor"])[1])

    hours = [[hour["hour"][11:13] for hour in page["data"]] for page in pages]
    assert hours == [["13", "14"], ["15", "16"]]


def test_a_page_ends_after_a_while_with_at_least_one_hour(
    pipeline: LocalPipeline, keys: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "ENOUGH_S", -1.0)
    events = [make_event(occurred_at_ms=NOON_MS + index * HOUR_MS) for index in range(2)]
    pipeline.publish_events(events)
    pipeline.store()
    pipeline.project()

    _, first = ask(keys)
    _, second = ask(keys, cursor=first["next_cursor"])

    assert [len(page["data"]) for page in (first, second)] == [1, 1]


def test_lag_is_told_and_is_no_difference(pipeline: LocalPipeline, keys: ProjectKeys) -> None:
    pipeline.publish_events([make_event()])
    pipeline.store()

    status, said = ask(keys, wait="0")

    assert (status, said["state"]) == (200, "lagging")
    assert said["data"][0]["differences"] == []
    assert "no projector runs" in said["lag"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "from"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"wait": "26"}, "wait"),
        ({"wait": "-1"}, "wait"),
        ({"cursor": "next"}, "cursor"),
        ({"cursor": "9" * 5000}, "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(
    pipeline: LocalPipeline, keys: ProjectKeys, query: dict[str, str], field: str
) -> None:
    status, said = ask(keys, **query)
    assert (status, said["code"]) == (400, "invalid_query")
    assert said["errors"] == [{"field": field, "code": "invalid_query"}]


def test_only_scope_repair_without_a_filter_opens_it(
    pipeline: LocalPipeline, keys: ProjectKeys
) -> None:
    def code(headers: dict[str, str]) -> tuple[int, str]:
        response = Client().get("/v1/reconcile", headers=headers)
        return response.status_code, response.json()["code"]

    assert code({}) == (401, "unauthorized")
    assert code(keys.bearer(Scope.QUERY)) == (403, "missing_scope")
    filtered = keys.token(Scope.REPAIR, token_filter=["is", "event", ["signup"]])
    assert code({"Authorization": f"Bearer {filtered}"}) == (403, "missing_scope")


@pytest.mark.parametrize(
    ("folder", "code"), [("warehouse", "store_unavailable"), ("timeseries", "index_unavailable")]
)
def test_an_engine_that_does_not_answer_is_a_problem_with_retry_after(
    pipeline: LocalPipeline, keys: ProjectKeys, folder: str, code: str, tmp_path: Path
) -> None:
    backend = EVENT_STORE if folder == "warehouse" else SERIES_STORE
    backend.get().close()
    backend.forget()
    for file in (tmp_path / folder).iterdir():
        file.write_bytes(b"these are no tables of ours\n" * 400)

    response = Client().get("/v1/reconcile", headers=keys.bearer(Scope.REPAIR))

    assert (response.status_code, response.json()["code"]) == (503, code)
    assert int(response.headers["Retry-After"]) >= 1

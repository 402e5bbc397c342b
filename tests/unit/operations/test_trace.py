"""Where one event is, through the real routes and on the real engines."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from access.claims import Scope
from feed.dead_letters import to_record
from feed.event import key_text
from feed.topics import Topic
from operations.dead_letter_keeper import drain
from operations.trace import MAX_LETTERS
from tests.builders import NOON_MS, make_event, make_project_name, make_row
from tests.key_builders import ProjectKeys
from tests.local_pipeline import LocalPipeline
from tests.unit.operations.test_dead_letters import make_letter
from timeseries.backends import SERIES_STORE
from warehouse.backends import EVENT_STORE
from warehouse.ports import Row

NOON = "2026-11-01T12:00:00Z"
UUID7 = "019a3f2b-5c00-7abc-8def-0123456789ab"


def ask(keys: ProjectKeys, path: str, **query: str) -> tuple[int, dict[str, Any]]:
    return ask_with(keys.bearer(Scope.QUERY), path, **query)


def ask_with(headers: dict[str, str], path: str, **query: str) -> tuple[int, dict[str, Any]]:
    response = Client().get(path, query, headers=headers)
    return response.status_code, response.json()


def path_of(key: bytes) -> str:
    return f"/v1/events/{key_text(key)}/trace"


def test_an_event_never_seen_is_null_everywhere(
    pipeline: LocalPipeline, demo_keys: ProjectKeys
) -> None:
    event = make_event()
    assert ask(demo_keys, path_of(event.key)) == (
        200,
        {"key": key_text(event.key), "stored": None, "projected": None, "dead_letters": []},
    )


def test_an_event_is_followed_from_part_to_part(
    pipeline: LocalPipeline, demo_keys: ProjectKeys
) -> None:
    event = make_event(id="e-1", sent_at_ms=NOON_MS + 200)
    version = make_row(event).version
    pipeline.publish_events([event])
    pipeline.store()
    _, said = ask(demo_keys, path_of(event.key))
    assert said["projected"] is None
    assert said["stored"] == {
        "event": "signup",
        "version": version,
        "id": "e-1",
        "type": "track",
        "timestamp": "2026-11-01T12:00:00.000Z",
        "received_at": "2026-11-01T12:00:00.250Z",
        "sent_at": "2026-11-01T12:00:00.200Z",
        "transport": "rest",
    }
    pipeline.project()
    _, said = ask(demo_keys, path_of(event.key))
    assert said["projected"] == {"generation": 1, "version": version}


@pytest.mark.parametrize("timestamp", [NOON, str(NOON_MS), "2026-11-01T13:00:00+01:00"])
def test_an_event_is_found_by_its_id_and_timestamp(
    pipeline: LocalPipeline, demo_keys: ProjectKeys, timestamp: str
) -> None:
    event = make_event(id="order 7/ä")
    pipeline.events.append([make_row(event)])
    status, said = ask(demo_keys, "/v1/trace", id="order 7/ä", timestamp=timestamp)
    assert (status, said["key"]) == (200, key_text(event.key))
    assert said["stored"]["id"] == "order 7/ä"


def test_an_id_that_is_a_uuid7_needs_no_timestamp(
    pipeline: LocalPipeline, demo_keys: ProjectKeys
) -> None:
    event = make_event(id=UUID7, occurred_at_ms=0x019A3F2B5C00)
    pipeline.events.append([make_row(event)])
    status, said = ask(demo_keys, "/v1/trace", id=UUID7)
    assert (status, said["key"], said["stored"]["id"]) == (200, key_text(event.key), UUID7)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"id": "plain"}, "timestamp"),
        ({"id": "plain", "timestamp": "yesterday"}, "timestamp"),
        ({"id": "plain", "timestamp": "2026-11-01"}, "timestamp"),
        ({"id": "plain", "timestamp": "9" * 5000}, "timestamp"),
        ({"id": "plain", "timestamp": "0001-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": NOON}, "id"),
        ({"id": "", "timestamp": NOON}, "id"),
        ({"id": "x" * 129, "timestamp": NOON}, "id"),
        ({"id": "a\0b", "timestamp": NOON}, "id"),
    ],
)
def test_a_wrong_parameter_is_named(
    pipeline: LocalPipeline, demo_keys: ProjectKeys, query: dict[str, str], field: str
) -> None:
    status, said = ask(demo_keys, "/v1/trace", **query)
    assert (status, said["code"]) == (400, "invalid_query")
    assert said["errors"] == [{"field": field, "code": "invalid_query"}]


@pytest.mark.parametrize("key", ["nonsense", UUID7, "0" * 36, "ä", "x" * 300])
def test_what_is_no_key_is_refused(
    pipeline: LocalPipeline, demo_keys: ProjectKeys, key: str
) -> None:
    status, said = ask(demo_keys, f"/v1/events/{key}/trace")
    assert (status, said["code"]) == (400, "invalid_query")
    assert said["errors"][0]["field"] == "key"


def test_dead_letters_are_found_by_key_and_by_id(
    pipeline: LocalPipeline, demo_keys: ProjectKeys
) -> None:
    event = make_event(id="e-1")
    letters = [
        make_letter(id="by-key", event_key=key_text(event.key), event_id="e-1", at_ms=NOON_MS),
        make_letter(id="by-id", event_id="e-1", at_ms=NOON_MS + 1, code="invalid_properties"),
        make_letter(id="of-another-time", event_id="e-1", event_key=UUID7),
        make_letter(id="of-another", event_id="e-2"),
        make_letter(id="of-another-project", event_id="e-1", project="other"),
    ]
    pipeline.publish(Topic.DEAD_LETTERS, [to_record(letter) for letter in letters])
    drain(pipeline.feed)
    _, said = ask(demo_keys, "/v1/trace", id="e-1", timestamp=NOON)
    assert [letter["id"] for letter in said["dead_letters"]] == ["by-id", "by-key"]
    assert said["dead_letters"][0] == {
        "id": "by-id",
        "refused_at": "2026-11-01T12:00:00.001000Z",
        "stage": "ingest",
        "code": "invalid_properties",
        "detail": "refused at admission: missing_event",
        "field": "event",
        "request_id": "r1",
    }
    _, by_key = ask(demo_keys, path_of(event.key))
    assert [letter["id"] for letter in by_key["dead_letters"]] == ["by-key"]
    pipeline.events.append([make_row(event)])
    assert ask(demo_keys, path_of(event.key))[1]["dead_letters"] == said["dead_letters"]


def test_dead_letters_are_bounded(pipeline: LocalPipeline, demo_keys: ProjectKeys) -> None:
    letters = [make_letter(id=str(number)) for number in range(MAX_LETTERS + 1)]
    pipeline.publish(Topic.DEAD_LETTERS, [to_record(letter) for letter in letters])
    drain(pipeline.feed)
    _, said = ask(demo_keys, "/v1/trace", id="e1", timestamp=NOON)
    assert len(said["dead_letters"]) == MAX_LETTERS


def test_another_projects_event_is_as_if_it_were_not_there(
    pipeline: LocalPipeline, demo_keys: ProjectKeys
) -> None:
    theirs = make_event(project=make_project_name(), id="e-1")
    pipeline.publish_events([theirs])
    pipeline.store()
    pipeline.project()
    _, said = ask(demo_keys, path_of(theirs.key))
    assert (said["stored"], said["projected"], said["dead_letters"]) == (None, None, [])


def test_a_stored_record_that_cannot_be_read_is_still_found(
    pipeline: LocalPipeline, demo_keys: ProjectKeys
) -> None:
    key = make_event().key
    pipeline.events.append([Row("demo", key, "signup", 7_000, b"\xc3\x01 of a newer Weir")])
    _, said = ask(demo_keys, path_of(key))
    assert (said["stored"]["event"], said["stored"]["version"]) == ("signup", 7_000)
    assert said["stored"]["id"] is said["stored"]["timestamp"] is None


def test_a_token_is_needed_with_scope_query_and_without_filter(
    pipeline: LocalPipeline, demo_keys: ProjectKeys
) -> None:
    path = path_of(make_event().key)
    assert ask_with({}, path)[1]["code"] == "unauthorized"
    assert ask_with(demo_keys.bearer(Scope.INGEST), path)[1]["code"] == "missing_scope"
    filtered = demo_keys.token(Scope.QUERY, token_filter=["is", "event", ["signup"]])
    status, said = ask_with({"Authorization": f"Bearer {filtered}"}, path)
    assert (status, said["code"]) == (403, "missing_scope")
    assert "filter" in said["detail"]


@pytest.mark.parametrize(
    ("folder", "code"), [("warehouse", "store_unavailable"), ("timeseries", "index_unavailable")]
)
def test_an_engine_that_does_not_answer_is_a_problem_with_retry_after(
    pipeline: LocalPipeline, demo_keys: ProjectKeys, folder: str, code: str, tmp_path: Path
) -> None:
    # A handle opened anew meets a file that is no database any more.
    backend = EVENT_STORE if folder == "warehouse" else SERIES_STORE
    backend.get().close()
    backend.forget()
    for file in (tmp_path / folder).iterdir():
        file.write_bytes(b"these are no tables of ours\n" * 400)
    path = path_of(make_event().key)
    response = Client().get(path, headers=demo_keys.bearer(Scope.QUERY))
    assert (response.status_code, response.json()["code"]) == (503, code)
    assert int(response.headers["Retry-After"]) >= 1

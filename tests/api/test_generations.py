"""`/v1/generations` over a real pipeline on embedded engines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from access.claims import Scope
from access.services import create_project
from replay import generation_diff
from replay.models import Replay
from tests.builders import NOON_MS, make_event
from tests.damage import EmbeddedDamage
from tests.key_builders import ProjectKeys, tell_doors
from tests.local_pipeline import LocalPipeline, local_pipeline
from tests.rebuild_builders import work
from tests.replay_builders import HOUR_MS, fill, make_replayer
from timeseries.errors import SeriesUnavailable
from warehouse.ports import ScanWindow

GRANTED = frozenset({Scope.INGEST, Scope.QUERY, Scope.REPLAY, Scope.OPERATE})
FIRST_MS = NOON_MS - 5 * HOUR_MS
WHOLE = ScanWindow("demo", 0, 2**48 - 1)


@pytest.fixture
def pipeline(tmp_path: Path, db: None) -> Iterator[LocalPipeline]:
    with local_pipeline(tmp_path) as running:
        for name in ("demo", "other"):
            create_project(name)
        fill(running, 300)
        yield running


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> ProjectKeys:
    keys = ProjectKeys(granted=GRANTED)
    tell_doors(monkeypatch, keys)
    return keys


@pytest.fixture
def api(keys: ProjectKeys) -> "Api":
    return Api(keys.bearer(Scope.OPERATE))


class Api:
    """The requests of one token."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers

    def get(self, path: str) -> Any:  # Any: Django's test response
        return Client().get(path, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:  # Any: JSON
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client().post(
            path,
            data="" if body is None else json.dumps(body),
            content_type="application/json",
            headers=self.headers | sent,
        )

    def begin(self, **headers: str) -> Any:  # Any: as above
        return self.post("/v1/generations", {"reason": "another mapping"}, **headers)


def test_a_generation_from_its_beginning_to_being_served_and_gone_back_from(
    pipeline: LocalPipeline, api: Api
) -> None:
    made = api.begin()
    work(pipeline)
    done = api.get(made.headers["Location"]).json()
    swapped = api.post("/v1/generations/2/swap")
    back = api.post("/v1/generations/2/rollback")
    listed = api.get("/v1/generations").json()

    assert (made.status_code, made.headers["Location"]) == (201, "/v1/generations/2")
    begun = made.json()
    assert (begun["generation"], begun["state"], begun["served"]) == (2, "building", False)
    assert begun["rebuild"]["state"] == "estimating"
    assert begun["rebuild"]["source"] == {"from": None, "to": None}
    assert begun["rebuild"]["target"] == {"mode": "new_generation", "generation": 2}
    assert begun["rebuild"]["rate"] == {"max_eps": None, "auto": True}
    assert (done["state"], done["rebuild"]["state"]) == ("ready", "completed")
    assert done["rebuild"]["progress"]["projected"] == 300
    assert (swapped.status_code, swapped.json()["served"]) == (200, True)
    assert (back.status_code, back.json()["generation"]) == (200, 1)
    assert [(row["generation"], row["served"]) for row in listed["data"]] == [(2, False), (1, True)]
    assert listed["data"][1]["rebuild"] is None
    assert listed["next_cursor"] is None


def test_what_differs_from_the_served_one_is_told_in_pages(
    pipeline: LocalPipeline, api: Api, tmp_path: Path
) -> None:
    api.begin()
    work(pipeline)
    equal = api.get("/v1/generations/2/diff").json()
    rows = [row for page in pipeline.events.scan(WHOLE) for row in page.rows]
    damage = EmbeddedDamage(tmp_path, "demo", generation=1)
    for row in (rows[0], rows[-1]):
        damage.delete(row.key)
    damage.put(rows[1].key)

    whole = api.get("/v1/generations/2/diff").json()
    paged: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.get(f"/v1/generations/2/diff?limit=1&cursor={cursor}").json()
        paged += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert (equal["data"], equal["next_cursor"]) == ([], None)
    assert (whole["generation"], whole["served"]) == (2, 1)
    assert paged == whole["data"]
    cells = {
        (cell["project"], cell["hour"], cell["event"]): (cell["served"], cell["generation"])
        for cell in whole["data"]
    }
    first, last = "2026-11-01T07:00:00.000Z", "2026-11-01T11:00:00.000Z"
    assert cells == {
        ("demo", first, "order"): (19, 20),
        ("demo", first, "signup"): (39, 40),
        ("demo", first, "tampered"): (1, 0),
        ("demo", last, "signup"): (39, 40),
    }
    assert api.get("/v1/generations/1/diff").json()["data"] == []


def test_a_page_of_a_diff_ends_in_time_and_the_next_one_goes_on(
    pipeline: LocalPipeline, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.begin()
    work(pipeline)
    rows = [row for page in pipeline.events.scan(WHOLE) for row in page.rows]
    EmbeddedDamage(tmp_path, "demo", generation=1).delete(rows[-1].key)
    monkeypatch.setattr(generation_diff, "ENOUGH_S", -1.0)

    pages = [api.get("/v1/generations/2/diff").json()]
    while (cursor := pages[-1]["next_cursor"]) is not None:
        pages.append(api.get(f"/v1/generations/2/diff?cursor={cursor}").json())

    assert [page["next_cursor"] for page in pages] == [
        *(f"demo:{FIRST_MS + hours * HOUR_MS}:" for hours in range(1, 6)),
        None,
    ]
    assert [len(page["data"]) for page in pages] == [0, 0, 0, 0, 1, 0]


def test_generations_are_listed_in_pages(pipeline: LocalPipeline, api: Api) -> None:
    api.begin()

    first = api.get("/v1/generations?limit=1").json()
    second = api.get(f"/v1/generations?limit=1&cursor={first['next_cursor']}").json()

    assert ([row["generation"] for row in first["data"]], first["next_cursor"]) == ([2], "2")
    assert ([row["generation"] for row in second["data"]], second["next_cursor"]) == ([1], None)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/v1/generations/9", 404, "not_found"),
        ("get", "/v1/generations/9/diff", 404, "not_found"),
        ("post", "/v1/generations/9/swap", 404, "not_found"),
        ("post", "/v1/generations/9/drop", 404, "not_found"),
        ("post", "/v1/generations/9/verify", 404, "not_found"),
        ("post", "/v1/generations/9/rollback", 404, "not_found"),
        ("post", "/v1/generations/1/verify", 409, "illegal_state"),
        ("post", "/v1/generations/1/rollback", 409, "illegal_state"),
        ("post", "/v1/generations/1/drop", 409, "illegal_state"),
        ("get", "/v1/generations?limit=0", 422, "invalid_query"),
        ("get", "/v1/generations?cursor=x", 422, "invalid_query"),
        ("get", "/v1/generations/1/diff?cursor=x", 422, "invalid_query"),
        ("get", "/v1/generations/1/diff?limit=x", 422, "invalid_query"),
    ],
)
def test_what_cannot_be_done_is_said_by_code(
    pipeline: LocalPipeline, api: Api, method: str, path: str, status: int, code: str
) -> None:
    answer = getattr(api, method)(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if status == 409:
        assert answer.json()["state"] == "ready"


def test_one_at_a_time_is_built_and_it_is_not_served_before_it_is_ready(
    pipeline: LocalPipeline, api: Api
) -> None:
    first = api.begin(Idempotency_Key="k")
    again = api.begin(Idempotency_Key="k")
    second = api.begin()
    early = api.post("/v1/generations/2/swap")
    dropped = api.post("/v1/generations/2/drop")

    assert again.json()["rebuild"]["id"] == first.json()["rebuild"]["id"]
    assert (second.status_code, second.json()["state"]) == (409, "building")
    assert (early.status_code, early.json()["state"]) == (409, "building")
    assert (dropped.status_code, dropped.json()["state"]) == (200, "dropped")
    assert dropped.json()["rebuild"]["state"] == "cancelled"
    assert api.get("/v1/generations/2/diff").json()["code"] == "illegal_state"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, ""),
        ({"reason": ""}, 422, "reason"),
        ({"reason": "lone \ud800"}, 422, "reason"),
        ({"reason": "zero \0"}, 422, "reason"),
        ({"reason": "why", "source": {}}, 422, ""),
        ({"reason": "why", "rate": {"max_eps": 0}}, 422, "rate.max_eps"),
        ([], 422, ""),
    ],
)
def test_a_bad_request_builds_nothing(
    pipeline: LocalPipeline, api: Api, body: Any, status: int, field: str
) -> None:
    answer = api.post("/v1/generations", body)
    assert answer.status_code == status
    assert answer.json()["errors"][0].get("field", "") == field
    assert not Replay.objects.exists()


def test_a_rebuild_is_moved_as_any_replay_by_tokens_of_scope_operate_alone(
    pipeline: LocalPipeline, api: Api, keys: ProjectKeys
) -> None:
    replay = api.begin().json()["rebuild"]["id"]
    make_replayer(pipeline).run(once=True)
    own = Api(keys.bearer(Scope.REPLAY))

    assert own.get(f"/v1/replays/{replay}").status_code == 404
    assert own.post(f"/v1/replays/{replay}/pause").status_code == 404
    assert own.get("/v1/replays").json()["data"] == []
    assert api.get(f"/v1/replays/{replay}").json()["project"] == ""
    assert api.post(f"/v1/replays/{replay}/pause").json()["state"] == "paused"
    assert api.post(f"/v1/replays/{replay}/resume").json()["state"] == "running"
    assert api.post(f"/v1/replays/{replay}/cancel").json()["state"] == "cancelled"
    assert api.get("/v1/generations/2").json()["state"] == "dropped"


def test_a_token_of_operate_alone_does_not_reach_a_projects_replays(
    pipeline: LocalPipeline, api: Api, keys: ProjectKeys
) -> None:
    wanted = {
        "source": {"from": "2026-11-01T07:00:00Z", "to": "2026-11-01T12:00:00Z"},
        "reason": "a gap",
    }
    made = Api(keys.bearer(Scope.REPLAY)).post("/v1/replays", wanted).json()

    assert api.get(f"/v1/replays/{made['id']}").status_code == 404
    assert api.get("/v1/replays").json()["code"] == "missing_scope"


@pytest.mark.parametrize("path", ["/v1/generations", "/v1/generations/1", "/v1/generations/1/diff"])
def test_scope_operate_and_a_whole_view_are_asked_for(
    pipeline: LocalPipeline, keys: ProjectKeys, path: str
) -> None:
    partial = keys.token(Scope.OPERATE, token_filter=["is", "event", ["order"]])

    for headers in (keys.bearer(Scope.REPLAY), {"Authorization": f"Bearer {partial}"}):
        answer = Api(headers).get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert Client().get(path).status_code == 401


def test_a_view_that_is_away_is_said(
    pipeline: LocalPipeline, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise SeriesUnavailable

    api.begin()
    work(pipeline)
    with monkeypatch.context() as patched:
        patched.setattr(type(pipeline.series), "hours", away)
        answer = api.get("/v1/generations/2/diff")
        patched.setattr(type(pipeline.series), "drop", away)
        dropped = api.post("/v1/generations/2/drop")

    assert (answer.status_code, answer.json()["code"]) == (503, "index_unavailable")
    assert (dropped.status_code, dropped.json()["freed_at"]) == (200, None)
    make_replayer(pipeline).run(once=True)
    assert api.get("/v1/generations/2").json()["freed_at"] is not None


def test_an_event_of_no_project_that_is_known_is_left_out(
    pipeline: LocalPipeline, api: Api
) -> None:
    pipeline.publish_events([make_event(project="gone", id="x", occurred_at_ms=NOON_MS)])
    api.begin()
    work(pipeline)

    assert api.get("/v1/generations/2").json()["rebuild"]["progress"]["emitted"] == 300


REBUILD = {"target": {"mode": "new_generation"}, "reason": "another mapping"}


def test_a_replay_into_a_new_generation_is_a_rebuild(
    pipeline: LocalPipeline, keys: ProjectKeys
) -> None:
    api = Api(keys.bearer(Scope.REPLAY, Scope.OPERATE))

    made = api.post("/v1/replays", REBUILD, Idempotency_Key="once")
    again = api.post("/v1/replays", REBUILD, Idempotency_Key="once")
    second = api.post("/v1/replays", REBUILD)
    work(pipeline)

    assert made.status_code == again.status_code == 201, made.content
    assert again.json()["id"] == made.json()["id"]
    assert made.json()["rate"] == {"max_eps": None, "auto": True}
    assert made.json()["target"] == {"mode": "new_generation", "generation": 2}
    said = second.json()
    assert (second.status_code, said["code"], said["state"]) == (409, "illegal_state", "building")
    assert api.get(made.headers["Location"]).json()["state"] == "completed"


@pytest.mark.parametrize(
    ("changes", "query", "field"),
    [
        ({"source": {"from": 0, "to": 1}}, "", "source"),
        ({"filter": {"events": ["order"]}}, "", "filter.events"),
        ({"reason": " "}, "", "reason"),
        ({}, "?dry_run=1", "dry_run"),
    ],
)
def test_a_rebuild_covers_the_whole_view(
    pipeline: LocalPipeline, keys: ProjectKeys, changes: dict[str, Any], query: str, field: str
) -> None:
    api = Api(keys.bearer(Scope.REPLAY, Scope.OPERATE))

    refused = api.post(f"/v1/replays{query}", REBUILD | changes)

    assert refused.status_code == 422, refused.content
    assert [each["field"] for each in refused.json()["errors"]] == [field]
    assert not Replay.objects.exists()


def test_a_rebuild_is_not_begun_with_the_scope_of_replays_alone(
    pipeline: LocalPipeline, keys: ProjectKeys
) -> None:
    refused = Api(keys.bearer(Scope.REPLAY)).post("/v1/replays", REBUILD)

    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert not Replay.objects.exists()

"""`/v1/replays` over a real pipeline on embedded engines."""

import json
from typing import Any

import pytest
from django.test import Client

from access.claims import Scope
from feed.clock import Clock
from replay import services
from replay.journal import Actor, Via
from replay.models import Replay, ReplayLogEntry
from tests.builders import NOON_MS
from tests.key_builders import ProjectKeys, tell_doors
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import fill, run_to_the_end, stop_counting_after

FROM, TO = "2026-11-01T07:00:00Z", "2026-11-01T12:00:00Z"
GRANTED = frozenset({Scope.INGEST, Scope.QUERY, Scope.REPLAY})


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> tuple[ProjectKeys, ProjectKeys]:
    """The projects demo and other; both keys grant replay."""
    keys = ProjectKeys(granted=GRANTED), ProjectKeys(project="other", granted=GRANTED)
    tell_doors(monkeypatch, *keys)
    return keys


@pytest.fixture
def api(both: tuple[ProjectKeys, ProjectKeys]) -> "Api":
    return Api(both[0])


class Api:
    """The requests of one project's token."""

    def __init__(self, keys: ProjectKeys) -> None:
        self.headers = keys.bearer(Scope.REPLAY)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,  # Any: JSON
        **headers: str,
    ) -> Any:  # Any: Django's test response
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if body is None else json.dumps(body)
        return getattr(Client(), method)(
            path, data=content, content_type="application/json", headers=self.headers | sent
        )

    def make(self, **changes: Any) -> Any:
        return self.ask("post", "/v1/replays", wanted(**changes))


def wanted(**changes: Any) -> dict[str, Any]:
    return {"source": {"from": FROM, "to": TO}, "reason": "a gap in the view"} | changes


def test_a_replay_from_request_to_completion(pipeline: LocalPipeline, api: Api) -> None:
    fill(pipeline, 300)

    made = api.make(rate={"max_eps": None, "auto": False}, filter={"events": ["order"]})
    location = made.headers["Location"]
    begun = api.ask("post", f"{location}/start")
    run_to_the_end(pipeline)
    done = api.ask("get", location).json()

    assert (made.status_code, made.json()["state"], begun.status_code) == (201, "ready", 202)
    assert made.json()["source"] == {
        "from": "2026-11-01T07:00:00.000Z",
        "to": "2026-11-01T12:00:00.000Z",
    }
    assert done["state"] == "completed"
    assert done["progress"] == {
        "estimated": 100,
        "read": 100,
        "emitted": 100,
        "projected": 100,
        "suppressed": 0,
        "dead_lettered": 0,
        "eps": 0.0,
        "eta": None,
        "throttled_by": None,
    }
    assert [(each["action"], each["via"]) for each in done["log"]] == [
        ("create", "rest"),
        ("start", "rest"),
        ("work", "replayer"),
        ("complete", "replayer"),
    ]
    assert done["log"][0]["detail"] == "a gap in the view"


def test_a_dry_run_counts_by_hour_and_event_and_makes_nothing(
    pipeline: LocalPipeline, api: Api
) -> None:
    events = fill(pipeline, 300)

    said = api.ask("post", "/v1/replays?dry_run=1", {"source": {"from": FROM, "to": TO}}).json()

    counted = {(each["hour"], each["event"]): each["count"] for each in said["hours"]}
    assert (said["estimated"], sum(counted.values()), len(counted)) == (300, 300, 10)
    assert counted["2026-11-01T07:00:00.000Z", "order"] == 20
    assert said["first"] == "2026-11-01T07:00:00.000Z"
    assert said["last"] == "2026-11-01T11:59:00.000Z"
    assert said["duration_s"] == 300 / 2000
    assert 0.5 < said["bytes"] / sum(len(make_bytes(event)) for event in events) < 1.5
    assert "300 events of demo are written again" in said["effect"]
    assert not Replay.objects.exists()


def test_a_dry_run_that_takes_long_says_what_is_known_by_then(
    pipeline: LocalPipeline, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 300)
    source = {"source": {"from": FROM, "to": TO}}
    stop_counting_after(2, monkeypatch)

    some = api.ask("post", "/v1/replays?dry_run=1", source).json()
    stop_counting_after(0, monkeypatch)
    none = api.ask("post", "/v1/replays?dry_run=1", source).json()

    assert (some["whole"], some["estimated"], len(some["hours"])) == (False, 120, 4)
    assert {some[name] for name in ("bytes", "first", "last", "duration_s")} == {None}
    assert "120 events of demo were counted by then, up to the hour of 2026" in some["effect"]
    assert (none["whole"], none["estimated"], none["hours"]) == (False, 0, [])
    assert "longer than 5 s: none was counted by then" in none["effect"]


def make_bytes(event: Any) -> bytes:
    from feed.codec import encode

    return encode(event)


def test_a_dry_run_names_the_replays_that_overlap(pipeline: LocalPipeline, api: Api) -> None:
    fill(pipeline, 30)
    other = api.make().json()["id"]

    met = api.ask("post", "/v1/replays?dry_run=1", wanted()).json()
    apart = {"from": "2026-11-01T06:00:00Z", "to": FROM}
    missed = api.ask("post", "/v1/replays?dry_run=1", wanted(source=apart)).json()

    assert (met["overlaps"], missed["overlaps"]) == ([other], [])


@pytest.mark.parametrize("to", [TO, FROM])
def test_an_empty_range_is_complete_at_once(pipeline: LocalPipeline, api: Api, to: str) -> None:
    made = api.make(source={"from": FROM, "to": to})

    said = made.json()
    assert (made.status_code, said["state"]) == (201, "completed")
    assert (said["progress"]["estimated"], said["progress"]["emitted"]) == (0, 0)
    assert api.ask("post", f"/v1/replays/{said['id']}/start").json()["state"] == "completed"


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        (
            {"source": {"from": FROM, "to": "2099-01-01T00:00:00Z"}},
            "source.to",
            "timestamp_in_future",
        ),
        ({"source": {"from": TO, "to": FROM}}, "source.to", "invalid_query"),
        ({"source": {"from": "yesterday", "to": TO}}, "source.from", "invalid_timestamp"),
        ({"source": {"from": "2026-11-01T07:00:00", "to": TO}}, "source.from", "invalid_timestamp"),
        ({"source": {"from": FROM}}, "source", "invalid_query"),
        ({"reason": ""}, "reason", "invalid_query"),
        ({"reason": " "}, "reason", "invalid_query"),
        ({"reason": "x" * 1001}, "reason", "invalid_query"),
        ({"reason": "lone \ud800"}, "reason", "invalid_query"),
        ({"reason": "zero \0"}, "reason", "invalid_query"),
        ({"filter": {"events": ["order", "\ud800"]}}, "filter.events", "invalid_query"),
        ({"target": {"mode": "\ud800"}}, None, "invalid_query"),
        ({"\ud800": 1}, None, "invalid_query"),
        ({"rate": {"max_eps": 0}}, "rate.max_eps", "invalid_query"),
        ({"rate": {"max_epz": 5}}, "rate", "invalid_query"),
        ({"filter": {"event": ["order"]}}, "filter", "invalid_query"),
        ({"filter": {"events": [7]}}, "filter.events[0]", "invalid_query"),
        ({"target": {"mode": "elsewhere"}}, "target.mode", "invalid_query"),
        ({"source": None}, "source", "invalid_query"),
        ({"more": 1}, None, "invalid_query"),
    ],
)
def test_what_cannot_be_run_is_422_and_names_the_member(
    pipeline: LocalPipeline, api: Api, changes: dict[str, Any], field: str | None, code: str
) -> None:
    refused = api.make(**changes)

    assert refused.status_code == 422, refused.content
    said = refused.json()
    assert said["code"] == code
    assert said["errors"] == [{"code": code} if field is None else {"field": field, "code": code}]
    assert not Replay.objects.exists()


def test_what_is_no_json_is_400(pipeline: LocalPipeline, api: Api) -> None:
    refused = Client().post(
        "/v1/replays", data="{", content_type="application/json", headers=api.headers
    )

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_json")


def test_the_same_request_under_the_same_key_is_the_same_replay(
    pipeline: LocalPipeline, api: Api
) -> None:
    fill(pipeline, 30)

    first, again = (
        api.ask("post", "/v1/replays", wanted(), Idempotency_Key="once") for _ in range(2)
    )
    another = api.ask("post", "/v1/replays", wanted(reason="else"), Idempotency_Key="once")

    assert first.json()["id"] == again.json()["id"]
    assert (again.status_code, another.status_code) == (201, 409)
    assert another.json()["code"] == "conflict"
    assert Replay.objects.count() == 1


@pytest.mark.parametrize("key", ["k" * 256, "zero \0"])
def test_a_key_that_no_store_can_keep_is_refused(
    pipeline: LocalPipeline, api: Api, key: str
) -> None:
    answer = api.ask("post", "/v1/replays", wanted(), Idempotency_Key=key)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "Idempotency-Key", "code": "invalid_query"}]
    assert not Replay.objects.exists()


def test_a_subject_that_no_store_can_keep_is_marked_in_the_log(
    pipeline: LocalPipeline, api: Api
) -> None:
    fill(pipeline, 1)
    replay = api.make().json()["id"]

    services.start(replay, Actor("bo\0b \ud800", Via.REST))

    mark = "\N{REPLACEMENT CHARACTER}"
    assert [entry.actor for entry in services.log_of(replay)][-1] == f"bo{mark}b {mark}"


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        (["pause"], "ready"),
        (["resume"], "ready"),
        (["retry"], "ready"),
        (["start", "start"], "running"),
        (["start", "pause", "start"], "paused"),
        (["cancel", "cancel"], "cancelled"),
        (["cancel", "start"], "cancelled"),
    ],
)
def test_an_illegal_move_is_409_with_the_state(
    pipeline: LocalPipeline, api: Api, moves: list[str], state: str
) -> None:
    fill(pipeline, 30)
    location = api.make().headers["Location"]

    answers = [api.ask("post", f"{location}/{move}") for move in moves]

    assert [answer.status_code for answer in answers] == [202] * (len(moves) - 1) + [409]
    said = answers[-1].json()
    assert (said["code"], said["state"]) == ("illegal_state", state)


def test_the_rate_changes_until_the_end(pipeline: LocalPipeline, api: Api) -> None:
    fill(pipeline, 30)
    location = api.make().headers["Location"]

    changed = api.ask("patch", location, {"rate": {"max_eps": 7, "auto": False}})
    wrong = api.ask("patch", location, {"rate": {"max_eps": -1}})
    api.ask("post", f"{location}/cancel")
    late = api.ask("patch", location, {"rate": {"max_eps": 8}})

    assert (changed.status_code, changed.json()["rate"]) == (200, {"max_eps": 7, "auto": False})
    assert (wrong.status_code, late.status_code) == (422, 409)


def test_another_projects_replay_is_not_there(
    pipeline: LocalPipeline, api: Api, both: tuple[ProjectKeys, ProjectKeys]
) -> None:
    fill(pipeline, 30)
    location = api.make().headers["Location"]
    stranger = Api(both[1])

    answers = [
        stranger.ask("get", location),
        stranger.ask("patch", location, {"rate": {}}),
        *(stranger.ask("post", f"{location}/{move}") for move in ("start", "cancel")),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert stranger.ask("get", "/v1/replays").json() == {"data": [], "next_cursor": None}
    assert api.ask("get", location).json()["state"] == "ready"


def test_the_scope_replay_opens_them_and_no_other(
    pipeline: LocalPipeline, both: tuple[ProjectKeys, ProjectKeys]
) -> None:
    refused = Client().get("/v1/replays", headers=both[0].bearer(Scope.QUERY))

    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert Client().get("/v1/replays").status_code == 401


@pytest.mark.parametrize("cursor", ["%00", "1", "g" * 32])
def test_a_cursor_that_never_came_is_refused(api: Api, cursor: str) -> None:
    answer = api.ask("get", f"/v1/replays?cursor={cursor}")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "cursor", "code": "invalid_query"}]


@pytest.mark.parametrize("given", ["dry_run=true", "dry_run=", "dry_run=1&dry_run=1"])
def test_a_dry_run_in_other_words_is_refused(api: Api, given: str) -> None:
    answer = api.ask("post", f"/v1/replays?{given}", wanted())

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "dry_run", "code": "invalid_query"}]


def test_an_id_that_is_none_is_not_found(api: Api) -> None:
    assert api.ask("get", "/v1/replays/%00").status_code == 404


def test_a_name_with_nul_is_refused(api: Api) -> None:
    answer = api.make(filter={"events": ["a\0"]})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("filter.events")


def test_lists_are_newest_first_by_cursor(pipeline: LocalPipeline, api: Api) -> None:
    made = []
    for minute in range(5):
        source = {"from": FROM, "to": NOON_MS - minute * 60_000}
        made.append(api.make(source=source).json()["id"])
    made.sort(reverse=True)

    first = api.ask("get", "/v1/replays?limit=3").json()
    second = api.ask("get", f"/v1/replays?limit=3&cursor={first['next_cursor']}").json()

    assert [each["id"] for each in first["data"] + second["data"]] == made
    assert second["next_cursor"] is None


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "000000050" + "0" * 6, "1" + "0" * 5000])
def test_a_limit_beyond_the_largest_is_refused(api: Api, limit: str) -> None:
    answer = api.ask("get", f"/v1/replays?limit={limit}")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "limit", "code": "invalid_query"}]


def test_a_replay_that_nobody_works_on_any_more_is_said_to_be_lost(
    pipeline: LocalPipeline, api: Api
) -> None:
    fill(pipeline, 30)
    location = api.make().headers["Location"]
    row = api.ask("post", f"{location}/start").json()
    now_ms = Clock().now_ms()
    held = Replay.objects.filter(pk=row["id"])

    held.update(worker="w", lease_until_ms=now_ms + 60_000)
    alive = api.ask("get", location).json()["worker"]
    held.update(lease_until_ms=now_ms - 1)
    lost = api.ask("get", location).json()["worker"]

    assert (row["worker"], alive, lost) == (None, "alive", "lost")


def test_the_log_is_only_appended_to(pipeline: LocalPipeline, api: Api) -> None:
    api.make()
    entry = ReplayLogEntry.objects.get()

    entry.actor = "somebody else"
    for change in (entry.save, entry.delete):
        with pytest.raises(TypeError, match="only appended to"):
            change()

    assert services.log_of(entry.replay_id)[0].actor.startswith("test (key ")

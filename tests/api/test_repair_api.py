"""`POST /v1/reconcile`: what is compared is what is replayed, once."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from access.claims import Scope
from operations.reconcile import paging
from operations.reconcile.repair import begun, order_for
from replay import orders, services
from replay.domain import Span
from replay.models import Replay
from tests.builders import NOON_MS, make_event
from tests.damage import EmbeddedDamage
from tests.key_builders import ProjectKeys, tell_doors
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import ANNA, HOUR_MS, fill, run_to_the_end

GRANTED = frozenset({Scope.REPAIR, Scope.REPLAY})
FROM, TO = "2026-11-01T07:00:00Z", "2026-11-01T12:00:00Z"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> ProjectKeys:
    """The project demo with a key that grants repair."""
    keys = ProjectKeys(granted=GRANTED)
    tell_doors(monkeypatch, keys)
    return keys


@pytest.fixture
def damaged(pipeline: LocalPipeline, tmp_path: Path) -> LocalPipeline:
    """30 events over five hours, of which the view lacks two."""
    events = fill(pipeline, 30)
    damage = EmbeddedDamage(tmp_path, "demo")
    damage.delete(events[3].key)
    damage.delete(events[25].key)
    return pipeline


def ask(keys: ProjectKeys, *, key: str = "", **changes: Any) -> Any:  # Any: Django's test response
    named = {name.rstrip("_"): value for name, value in changes.items()}
    body = {"from": FROM, "to": TO, "reason": "documents were lost"} | named
    headers = keys.bearer(Scope.REPAIR) | ({"Idempotency-Key": key} if key else {})
    return Client().post(
        "/v1/reconcile",
        json.dumps({name: value for name, value in body.items() if value is not None}),
        content_type="application/json",
        headers=headers,
    )


def test_exactly_the_gap_is_replayed(damaged: LocalPipeline, keys: ProjectKeys) -> None:
    answer = ask(keys)
    said = answer.json()
    run_to_the_end(damaged)
    after = ask(keys)

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/replays/{said['replay']['id']}"
    assert (said["comparison"]["state"], said["comparison"]["counts"]["missing"]) == (
        "different",
        2,
    )
    assert (said["replay"]["state"], said["replay"]["progress"]["estimated"]) == ("running", 2)
    assert (said["replay"]["reason"], said["later"]) == ("documents were lost", 0)
    row = services.get(said["replay"]["id"])
    assert (row.state, row.emitted, len(row.spans)) == ("completed", 2, 2)
    assert [entry.via for entry in services.log_of(row.id)[:2]] == ["rest", "rest"]
    assert after.status_code == 200
    assert (after.json()["replay"], after.json()["comparison"]["state"]) == (None, "same")


def test_what_lies_outside_the_range_is_left_alone(
    damaged: LocalPipeline, keys: ProjectKeys
) -> None:
    said = ask(keys, to=NOON_MS - 3 * HOUR_MS).json()

    assert said["replay"]["progress"]["estimated"] == 1


def test_the_same_request_under_the_same_key_is_one_replay(
    damaged: LocalPipeline, keys: ProjectKeys
) -> None:
    first = ask(keys, key="k1").json()
    run_to_the_end(damaged)
    again = ask(keys, key="k1")
    other = ask(keys, key="k1", reason="another")
    order = Client().post(
        "/v1/replays",
        json.dumps({"source": {"from": FROM, "to": TO}, "reason": "documents were lost"}),
        content_type="application/json",
        headers=keys.bearer(Scope.REPLAY) | {"Idempotency-Key": "k1"},
    )

    assert again.status_code == 201
    assert again.json()["replay"]["id"] == first["replay"]["id"]
    assert (again.json()["comparison"], again.json()["later"]) == (None, None)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert (order.status_code, order.json()["code"]) == (409, "conflict")
    assert Replay.objects.count() == 1


def test_one_that_was_made_and_never_started_is_started_by_the_same_request(
    damaged: LocalPipeline, keys: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(services, "start", die)
        with pytest.raises(SystemExit):
            ask(keys, key="k1")
    left = Replay.objects.get().state

    again = ask(keys, key="k1")

    assert left == "ready"
    assert (again.status_code, again.json()["replay"]["state"]) == (201, "running")


def test_of_two_that_start_it_at_once_neither_is_refused(damaged: LocalPipeline) -> None:
    order = order_for("demo", Span(0, NOON_MS), idempotency_key="k1")
    seen_by_both = orders.create(order, ANNA, damaged.events)

    states = [begun(seen_by_both, ANNA, clock=services.CLOCK).state for _ in range(2)]

    assert states == ["running", "running"]
    assert [each.action for each in services.log_of(seen_by_both.id)] == ["create", "start"]


def test_an_event_dated_ahead_waits(
    pipeline: LocalPipeline, keys: ProjectKeys, tmp_path: Path
) -> None:
    ahead_ms = services.CLOCK.now_ms() + HOUR_MS
    event = make_event(occurred_at_ms=ahead_ms)
    pipeline.publish_events([event])
    pipeline.store()
    pipeline.project()
    EmbeddedDamage(tmp_path, "demo").delete(event.key)

    answer = ask(keys, from_=ahead_ms - 1, to=ahead_ms + 1)

    assert answer.status_code == 200
    assert (answer.json()["replay"], answer.json()["later"]) == (None, 1)


def test_lag_is_told_and_nothing_is_replayed_for_it(
    pipeline: LocalPipeline, keys: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.reconcile.api.DEFAULT_WAIT_S", 0)
    pipeline.publish_events([make_event(occurred_at_ms=NOON_MS - 1)])
    pipeline.store()

    answer = ask(keys)

    assert (answer.status_code, answer.json()["comparison"]["state"]) == (200, "lagging")
    assert "no projector runs" in answer.json()["comparison"]["lag"]
    assert not Replay.objects.exists()


def test_what_takes_too_long_is_refused_and_nothing_is_replayed(
    damaged: LocalPipeline, keys: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "LIMIT_S", -1.0)

    answer = ask(keys)
    page = Client().get(
        "/v1/reconcile", {"from": FROM, "to": TO}, headers=keys.bearer(Scope.REPAIR)
    )

    for each in (answer, page):
        assert (each.status_code, each.json()["code"]) == (422, "query_too_costly")
        assert each.json()["compared_to"] == "2026-11-01T07:00:00.000Z"
        assert "Ask for a shorter range" in each.json()["detail"]
    assert not Replay.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"from": None}, "", "invalid_query"),
        ({"reason": None}, "", "invalid_query"),
        ({"reason": "  "}, "reason", "invalid_query"),
        ({"reason": "x" * 1001}, "reason", "invalid_query"),
        ({"reason": 7}, "reason", "invalid_query"),
        ({"reason": "lone \ud800"}, "reason", "invalid_query"),
        ({"reason": "zero \0"}, "reason", "invalid_query"),
        ({"from": "yesterday"}, "from", "invalid_timestamp"),
        ({"to": "2026-11-01"}, "to", "invalid_timestamp"),
        ({"from": TO, "to": FROM}, "from", "invalid_query"),
        ({"from": TO, "to": TO}, "from", "invalid_query"),
        ({"project": "other"}, "", "invalid_query"),
    ],
)
def test_a_wrong_member_is_named(
    pipeline: LocalPipeline, keys: ProjectKeys, changes: dict[str, Any], field: str, code: str
) -> None:
    answer = ask(keys, **changes)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    (error,) = answer.json()["errors"]
    assert error.get("field", "") == field


def test_a_key_that_is_too_long_is_refused(pipeline: LocalPipeline, keys: ProjectKeys) -> None:
    answer = ask(keys, key="k" * 256)

    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_only_scope_repair_without_a_filter_opens_it(
    pipeline: LocalPipeline, keys: ProjectKeys
) -> None:
    def status(headers: dict[str, str]) -> int:
        return Client().post("/v1/reconcile", "{}", "application/json", headers=headers).status_code

    filtered = keys.token(Scope.REPAIR, token_filter=["is", "event", ["signup"]])

    assert status({}) == 401
    assert status(keys.bearer(Scope.REPLAY)) == 403
    assert status({"Authorization": f"Bearer {filtered}"}) == 403

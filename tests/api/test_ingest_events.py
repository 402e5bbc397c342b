"""`POST /v1/events` through the real routes, onto the real embedded feed."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from channels.routing import URLRouter

import ingest.routing
from access.claims import Scope
from feed.adapters.embedded import EmbeddedFeed
from feed.backends import FEED
from feed.ports import TopicPartition
from feed.progress import ProgressWatcher
from feed.topics import Group, Topic
from ingest.timestamps import parse_time
from tests.builders import NOON_MS
from tests.ingest_builders import logged_events, make_row_text, open_ingest_feed, post, writer_held
from tests.key_builders import ProjectKeys
from tests.unit.feed.loops import dead_letters, topic_away

GOOD = {"event": "signup", "id": "e1", "timestamp": NOON_MS}


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedFeed]:
    """The feed that the doors publish to and wait on during the test."""
    opened = open_ingest_feed(tmp_path)
    watcher = ProgressWatcher(opened)
    monkeypatch.setattr(FEED, "get", lambda: opened)
    monkeypatch.setattr("ingest.routing.get_progress", lambda: watcher)
    yield opened
    opened.close()


@pytest.fixture
def bearer(demo_keys: ProjectKeys) -> dict[str, str]:
    return demo_keys.bearer(Scope.INGEST)


async def test_the_answer_is_the_contracts(feed: EmbeddedFeed, bearer: dict[str, str]) -> None:
    reply = await post([GOOD, {"event": "b"}, {"id": "x"}], {**bearer, "X-Request-Id": "req-1"})
    said = reply.json()
    first, second, third = said["results"]
    events = {event.event: event for event in logged_events(feed)}
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert set(said) == {"request_id", "received_at", "ack", "counts", "results"}
    assert (said["request_id"], said["ack"]) == ("req-1", "logged")
    assert said["counts"] == {"ok": 1, "warning": 1, "rejected": 1, "retry": 0}
    assert said["received_at"].endswith("Z")
    assert parse_time(said["received_at"]) == events["b"].received_at_ms
    assert first == {
        "index": 0,
        "id": "e1",
        "key": str(UUID(bytes=events["signup"].key)),
        "result": "ok",
    }
    assert (second["result"], second["code"]) == ("warning", "weak_id")
    assert (second["id"], parse_time(second["timestamp"])) == (
        events["b"].id,
        events["b"].occurred_at_ms,
    )
    assert third == {
        "index": 2,
        "id": "x",
        "result": "rejected",
        "code": "missing_event",
        "field": "event",
    }
    assert events["signup"].transport == "rest"
    assert events["signup"].project == "demo"


BODIES = {
    "object": (json.dumps(GOOD).encode(), {}, 1),
    "array": (json.dumps([GOOD, GOOD]).encode(), {}, 2),
    "batch": (json.dumps({"batch": [GOOD], "sent_at": NOON_MS}).encode(), {}, 1),
    "ndjson": (
        b"\n".join([make_row_text(), b"", make_row_text() + b"\r", b"  "]),
        {"Content-Type": "application/x-ndjson; charset=UTF-8"},
        2,
    ),
    "gzip": (gzip.compress(json.dumps([GOOD]).encode()), {"Content-Encoding": "gzip"}, 1),
    "gzipped ndjson": (
        gzip.compress(make_row_text() + b"\n") + gzip.compress(make_row_text() + b"\n"),
        {"Content-Encoding": "GZIP", "Content-Type": "application/x-ndjson"},
        2,
    ),
    "text": (json.dumps(GOOD).encode(), {"Content-Type": "text/plain;charset=UTF-8"}, 1),
    "form": (json.dumps(GOOD).encode(), {"Content-Type": "application/x-www-form-urlencoded"}, 1),
    "other json": (json.dumps(GOOD).encode(), {"Content-Type": "application/cloudevents+json"}, 1),
    "identity": (json.dumps(GOOD).encode(), {"Content-Encoding": "identity"}, 1),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), {}, 1),
}


@pytest.mark.parametrize("form", BODIES)
async def test_every_form_of_body_is_read(
    feed: EmbeddedFeed, bearer: dict[str, str], form: str
) -> None:
    body, headers, count = BODIES[form]
    reply = await post(body, {**bearer, **headers})
    assert reply.status_code == 200, reply.text
    assert reply.json()["counts"]["ok"] == count
    assert len(logged_events(feed)) == count


async def test_requests_at_once_are_each_answered_with_their_own_events(
    feed: EmbeddedFeed, bearer: dict[str, str]
) -> None:
    transport = httpx.ASGITransport(URLRouter(ingest.routing.http_routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://weir.test") as client:
        replies = await asyncio.gather(
            *(
                client.post("/v1/events", json=GOOD | {"id": f"e{n}"}, headers=bearer)
                for n in range(30)
            )
        )
    assert [reply.json()["results"][0]["id"] for reply in replies] == [f"e{n}" for n in range(30)]
    assert {event.id for event in logged_events(feed)} == {f"e{n}" for n in range(30)}


async def test_sent_at_is_recorded_and_not_applied(
    feed: EmbeddedFeed, bearer: dict[str, str]
) -> None:
    body = {"batch": [GOOD], "sent_at": "1999-12-31T23:59:59Z", "context": {}}
    reply = await post(body, bearer)
    (event,) = logged_events(feed)
    assert event.sent_at_ms == parse_time("1999-12-31T23:59:59Z")
    assert event.occurred_at_ms == NOON_MS
    assert reply.json()["warnings"] == [{"code": "unknown_field", "field": "context"}]


async def test_a_slash_at_the_end_makes_no_difference(
    feed: EmbeddedFeed, bearer: dict[str, str]
) -> None:
    assert (await post(GOOD, bearer, path="/v1/events/")).status_code == 200


async def test_a_summary_leaves_ok_rows_out(feed: EmbeddedFeed, bearer: dict[str, str]) -> None:
    reply = await post([GOOD, {"event": "b"}, {}], bearer, path="/v1/events?summary=1")
    assert [row["index"] for row in reply.json()["results"]] == [1, 2]
    assert reply.json()["counts"]["ok"] == 1


async def test_a_dry_run_publishes_nothing(feed: EmbeddedFeed, bearer: dict[str, str]) -> None:
    reply = await post([GOOD, {}], bearer, path="/v1/events?dry_run=1&ack=projected")
    assert reply.status_code == 200
    assert reply.json()["ack"] is None
    assert reply.json()["counts"] == {"ok": 1, "warning": 0, "rejected": 1, "retry": 0}
    assert (logged_events(feed), dead_letters(feed)) == ([], [])


async def test_all_rejected_is_a_problem_with_the_results(
    feed: EmbeddedFeed, bearer: dict[str, str]
) -> None:
    reply = await post([{}, {"event": 1, "id": "b"}], bearer)
    said = reply.json()
    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert said["code"] == "all_rejected"
    assert said["counts"] == {"ok": 0, "warning": 0, "rejected": 2, "retry": 0}
    assert [row["id"] for row in said["results"]] == [None, "b"]
    assert said["errors"] == [
        {"index": 0, "field": "event", "code": "missing_event"},
        {"index": 1, "field": "event", "code": "invalid_event"},
    ]
    assert len(dead_letters(feed)) == 2


@pytest.mark.parametrize(
    ("passed", "wanted", "reached"),
    [
        ((), "stored", "logged"),
        ((Group.SINK,), "stored", "stored"),
        ((Group.SINK,), "projected", "stored"),
        ((Group.PROJECTOR,), "projected", "logged"),
        ((Group.SINK, Group.PROJECTOR), "projected", "projected"),
        ((Group.SINK, Group.PROJECTOR), "logged", "logged"),
    ],
)
async def test_ack_names_the_level_reached(
    feed: EmbeddedFeed,
    bearer: dict[str, str],
    passed: tuple[Group, ...],
    wanted: str,
    reached: str,
) -> None:
    for group in passed:
        ahead = {
            TopicPartition(Topic.EVENTS, partition): 1000 for partition in feed.bounds(Topic.EVENTS)
        }
        feed.set_committed(group, ahead)
    reply = await post([GOOD, {}], bearer, path=f"/v1/events?ack={wanted}&wait=0.2")
    assert (reply.status_code, reply.json()["ack"]) == (200, reached)


async def test_a_write_key_sends_and_learns_of_logged_at_most(
    feed: EmbeddedFeed, demo_keys: ProjectKeys
) -> None:
    headers = {"X-Write-Key": demo_keys.write_key, "Origin": "https://shop.example"}
    reply = await post(GOOD, headers, path="/v1/events?ack=projected&wait=25")
    assert (reply.status_code, reply.json()["ack"]) == (200, "logged")
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"


async def test_a_feed_that_is_away_is_503_with_rows_to_retry(
    feed: EmbeddedFeed, bearer: dict[str, str], tmp_path: Path
) -> None:
    with topic_away(tmp_path, Topic.EVENTS):
        reply = await post([GOOD, {"event": "b"}, {}], bearer)
    said = reply.json()
    assert reply.status_code == 503
    assert reply.headers["content-type"] == "application/json"
    assert int(reply.headers["retry-after"]) >= 1
    assert (said["ack"], said["code"]) == (None, "log_unavailable")
    assert said["counts"] == {"ok": 0, "warning": 0, "rejected": 1, "retry": 2}
    assert [row["result"] for row in said["results"]] == ["retry", "retry", "rejected"]
    assert [row["code"] for row in said["results"]] == [
        "log_unavailable",
        "weak_id",
        "missing_event",
    ]
    assert said["results"][1]["id"]
    assert parse_time(said["results"][1]["timestamp"])
    again = await post({"event": "b", **chosen(said["results"][1])}, bearer)
    assert again.json()["results"][0]["key"] == said["results"][1]["key"]


def chosen(row: dict[str, str]) -> dict[str, str]:
    """What a client sends back after weak_id."""
    return {"id": row["id"], "timestamp": row["timestamp"]}


async def test_a_feed_that_does_not_say_in_time_is_503(
    feed: EmbeddedFeed,
    bearer: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.api.rest.LOG_DEADLINE_S", 0.05)
    with writer_held(tmp_path):
        reply = await post(GOOD, bearer)
    assert reply.status_code == 503
    assert reply.json()["counts"]["retry"] == 1
    assert feed.flush(timeout_s=20)
    assert (await post(GOOD, bearer)).status_code == 200
    assert {event.key for event in logged_events(feed)} == {logged_events(feed)[0].key}


async def test_limits_are_public(demo_keys: ProjectKeys) -> None:
    reply = await post(b"", {}, path="/v1/limits", method="GET")
    assert reply.status_code == 200
    limits = reply.json()
    assert limits["event_bytes"] == 32 * 1024
    assert (limits["batch_events"], limits["batch_bytes"]) == (1000, 5 * 1024 * 1024)
    assert limits["timestamp_from"] == "2000-01-01T00:00:00.000Z"
    assert limits["wait_max_s"] == 25.0

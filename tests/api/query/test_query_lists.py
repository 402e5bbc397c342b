"""/v1/query/events and /v1/meta over real engines, through the ASGI doors."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test.utils import override_settings

from feed.event import key_text
from tests.api.query.world import HOUR_MS, World, refusal
from tests.builders import NOON_MS, make_event
from timeseries.cursors import Cursor, read_cursor, write_cursor
from timeseries.generations import READER
from timeseries.models import Generation, ServedGeneration
from timeseries.slots import SLOTS_A_PROJECT
from warehouse.backends import EVENT_STORE

EVENTS = "/v1/query/events"


@pytest.fixture(scope="module", autouse=True)
def _sent(world: World) -> None:
    """Five visits an hour apart, a signup, and another project's event."""
    ours = world.ours.project
    visits = [
        make_event(
            project=ours,
            id=f"v{n}",
            event="visit",
            occurred_at_ms=NOON_MS + n * HOUR_MS,
            properties=f'{{"n": {n}, "plan": "{"pro" if n % 2 else "=free"}", "new": true}}',
            context='{"page": {"url": "/"}}',
        )
        for n in range(5)
    ]
    signup = make_event(project=ours, id="s", user_id=None, sent_at_ms=NOON_MS + 5)
    world.send([*visits, signup, make_event(project=world.theirs.project, id="secret")])


def _ids(world: World, address: str) -> list[str]:
    return [event["id"] for event in world.get(address).json()["data"]]


def test_events_come_whole_and_newest_first(world: World) -> None:
    page = world.get(f"{EVENTS}?event=visit&limit=2&timezone=Europe/Berlin").json()
    assert [event["id"] for event in page["data"]] == ["v4", "v3"]
    first = page["data"][0]
    visit = make_event(project=world.ours.project, id="v4", occurred_at_ms=NOON_MS + 4 * HOUR_MS)
    assert first == {
        "key": key_text(visit.key),
        "id": "v4",
        "event": "visit",
        "type": "track",
        "timestamp": "2026-11-01T17:00:00+01:00",
        "received_at": "2026-11-01T17:00:00.250+01:00",
        "sent_at": None,
        "transport": "rest",
        "user_id": "u1",
        "anonymous_id": None,
        "session_id": None,
        "properties": {"n": 4, "plan": "=free", "new": True},
        "context": {"page": {"url": "/"}},
    }
    assert page["meta"] == {"generation": 1, "warnings": []}


def test_the_cursor_goes_on_where_the_page_ended(world: World) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        page = world.get(f"{EVENTS}?event=visit&limit=2{cursor}").json()
        found += [event["id"] for event in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ["v4", "v3", "v2", "v1", "v0"]


def test_times_and_filters_narrow_the_list(world: World) -> None:
    times = "from=2026-11-01T13:00Z&to=2026-11-01T15:00Z"
    assert _ids(world, f"{EVENTS}?{times}") == ["v2", "v1"]
    where = quote(json.dumps(["is", "properties.plan", ["pro"]]))
    assert _ids(world, f"{EVENTS}?filter={where}") == ["v3", "v1"]
    query = quote(json.dumps({"filter": ["is", "event", ["signup"]], "limit": 5}))
    assert _ids(world, f"{EVENTS}?query={query}") == ["s"]


def test_no_project_lists_another_ones_events(world: World) -> None:
    ours = set(_ids(world, EVENTS))
    theirs = {event.get("id") for event in world.get(EVENTS, keys=world.theirs).json()["data"]}
    assert {"s", "v4"} <= ours
    assert "secret" in theirs
    assert not ours & theirs
    cursor = world.get(f"{EVENTS}?limit=1").json()["next_cursor"]
    stolen = world.get(f"{EVENTS}?limit=1&cursor={cursor}", keys=world.theirs)
    assert refusal(stolen) == (422, "invalid_query", "cursor")


def test_the_filter_of_a_token_limits_lists_and_meta(world: World) -> None:
    token = world.ours.token(token_filter=["is", "event", ["signup"]])
    limited = {"Authorization": f"Bearer {token}"}
    assert [event["id"] for event in world.get(EVENTS, headers=limited).json()["data"]] == ["s"]
    events = world.get("/v1/meta/events", headers=limited).json()["data"]
    assert events == [{"event": "signup", "count": 1, "first_seen": None, "last_seen": None}]
    properties = world.get("/v1/meta/properties", headers=limited).json()["data"]
    assert all(seen["examples"] == [] for seen in properties)
    values = world.get("/v1/meta/values?field=properties.plan", headers=limited).json()["data"]
    assert values == []


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "A" * 38, "=" * 8])
def test_a_mangled_cursor_is_refused(world: World, cursor: str) -> None:
    response = world.get(f"{EVENTS}?cursor={quote(cursor)}")
    assert refusal(response) == (422, "invalid_query", "cursor")


def test_a_cursor_that_is_no_text_is_refused(world: World) -> None:
    query = quote(json.dumps({"cursor": 5}))
    response = world.get(f"{EVENTS}?query={query}")
    assert refusal(response) == (422, "invalid_query", "cursor")


def test_a_cursor_does_not_fit_another_query(world: World) -> None:
    cursor = world.get(f"{EVENTS}?limit=1&event=visit").json()["next_cursor"]
    assert world.get(f"{EVENTS}?limit=3&event=visit&cursor={cursor}").status_code == 200
    other = world.get(f"{EVENTS}?limit=1&event=signup&cursor={cursor}")
    assert refusal(other) == (422, "invalid_query", "cursor")


def test_a_cursor_of_a_dropped_generation_has_expired(world: World) -> None:
    cursor = world.get(f"{EVENTS}?limit=1&event=visit").json()["next_cursor"]
    first = Generation.objects.get(number=1)
    second = Generation.objects.create(number=2, state=Generation.State.READY)
    ServedGeneration.objects.update(generation=second)
    READER.forget()
    going_on = world.get(f"{EVENTS}?limit=1&event=visit&cursor={cursor}").json()
    Generation.objects.filter(number=1).update(state=Generation.State.DROPPED)
    READER.forget()
    try:
        expired = world.get(f"{EVENTS}?limit=1&event=visit&cursor={cursor}")
    finally:
        first.save()
        ServedGeneration.objects.update(generation=first)
        second.delete()
        READER.forget()
    assert [event["id"] for event in going_on["data"]] == ["v3"]
    assert refusal(expired) == (410, "cursor_expired", "cursor")


def test_an_event_that_the_warehouse_does_not_have_yet_is_named(world: World) -> None:
    event = make_event(project=world.theirs.project, event="late", occurred_at_ms=NOON_MS - HOUR_MS)
    address = f"{EVENTS}?event=late"
    world.send([event], sunk=False)
    response = world.get(address, keys=world.theirs)
    assert response.json()["data"] == [
        {"key": key_text(event.key), "timestamp": "2026-11-01T11:00:00+00:00", "stored": False}
    ]
    assert "etag" not in response.headers
    world.send([event])
    stored = world.get(address, keys=world.theirs)
    assert stored.json()["data"][0]["id"] == event.id
    again = world.get(address, keys=world.theirs, headers={"If-None-Match": stored.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_lists_come_as_lines_and_as_csv(world: World) -> None:
    lines = world.get(f"{EVENTS}.ndjson?event=visit&limit=2")
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == ["v4", "v3"]
    assert lines.headers["x-next-cursor"]
    text = world.get(f"{EVENTS}.csv?event=signup").text
    header, row, _ = text.split("\r\n")
    assert header.startswith("key,id,event,type,timestamp,received_at,sent_at")
    assert row.endswith(
        ",s,signup,track,2026-11-01T12:00:00+00:00,2026-11-01T12:00:00.250+00:00,"
        "2026-11-01T12:00:00.005+00:00,rest,,,,{},{}"
    )


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (f"{EVENTS}?limit=501", "limit"),
        (f"{EVENTS}?limit=0", "limit"),
        (f"{EVENTS}?metric=count", "metric"),
        (f"{EVENTS}?from=later", "range.from"),
        (f"{EVENTS}?filter=%5B%22like%22%5D", "filter[0]"),
        ("/v1/meta/events?limit=1001", "limit"),
        ("/v1/meta/events?limit=few", "limit"),
        ("/v1/meta/events?event=visit", "event"),
        ("/v1/meta/properties?limit=1", "limit"),
        ("/v1/meta/values", "field"),
        ("/v1/meta/values?field=colour", "field"),
        ("/v1/meta/values?field=event&prefix=" + "x" * 201, "prefix"),
        ("/v1/meta/values?field=event&limit=0", "limit"),
    ],
)
def test_what_a_list_cannot_be_of_names_its_part(world: World, address: str, field: str) -> None:
    assert refusal(world.get(address)) == (422, "invalid_query", field)


def test_an_unknown_time_zone_of_a_list_is_named(world: World) -> None:
    response = world.get(f"{EVENTS}?timezone=Nowhere")
    assert refusal(response) == (422, "invalid_timezone", "timezone")


def test_a_warehouse_that_is_away_is_503(world: World, tmp_path: Path) -> None:
    (tmp_path / "warehouse").mkdir()
    for file in (Path(settings.DATA_DIR) / "warehouse").iterdir():
        if not file.name.endswith(("-wal", "-shm")):
            (tmp_path / "warehouse" / file.name).mkdir()
    held = EVENT_STORE.get()
    with override_settings(DATA_DIR=tmp_path):
        EVENT_STORE.forget()
        held.close()
        response = world.get(EVENTS)
        EVENT_STORE.get().close()
    EVENT_STORE.forget()
    assert refusal(response)[:2] == (503, "store_unavailable")
    assert int(response.headers["retry-after"]) >= 1


def test_names_of_events_come_with_counts_and_times(world: World) -> None:
    seen = world.get("/v1/meta/events").json()
    assert seen["next_cursor"] is None
    assert seen["data"][0] == {
        "event": "visit",
        "count": 5,
        "first_seen": "2026-11-01T12:00:00+00:00",
        "last_seen": "2026-11-01T16:00:00+00:00",
    }
    assert [event["event"] for event in seen["data"]] == ["visit", "signup"]
    assert len(world.get("/v1/meta/events?limit=1").json()["data"]) == 1


def test_properties_come_with_their_types(world: World) -> None:
    seen = {each["name"]: each for each in world.get("/v1/meta/properties").json()["data"]}
    assert seen["properties.n"]["types"] == ["number"]
    assert [type(example) for example in seen["properties.n"]["examples"]] == [int]
    assert seen["properties.new"]["types"] == ["boolean"]
    assert seen["context.page.url"] == {
        "name": "context.page.url",
        "types": ["string"],
        "examples": ["/"],
        "queryable": True,
        "reason": None,
    }


def test_values_come_by_count(world: World) -> None:
    assert world.get("/v1/meta/values?field=properties.plan").json() == {
        "field": "properties.plan",
        "data": [{"value": "=free", "count": 3}, {"value": "pro", "count": 2}],
        "next_cursor": None,
        "warnings": [],
        "meta": {"generation": 1},
    }
    prefixed = world.get("/v1/meta/values?field=properties.plan&prefix=p&event=visit").json()
    assert [each["value"] for each in prefixed["data"]] == ["pro"]
    narrowed = world.get("/v1/meta/values?field=properties.n&from=2026-11-01T15:30Z&to=2026-11-02")
    assert narrowed.json()["data"] == [{"value": 4, "count": 1}]
    unknown = world.get("/v1/meta/values?field=properties.nobody").json()
    assert (unknown["data"], unknown["warnings"][0]["code"]) == ([], "unknown_property")


def test_a_property_beyond_the_slots_is_refused_and_listed_as_such(world: World) -> None:
    many = {f"p{n:03}": n for n in range(SLOTS_A_PROJECT + 20)}
    world.send([make_event(project=world.theirs.project, properties=json.dumps(many))])
    listed = world.get("/v1/meta/properties", keys=world.theirs).json()
    beyond = [seen for seen in listed["data"] if not seen["queryable"]]
    assert listed["limit"] == SLOTS_A_PROJECT
    assert len(beyond) == len(listed["data"]) - SLOTS_A_PROJECT
    assert {seen["reason"] for seen in beyond} == {"over_limit"}
    name = beyond[0]["name"]
    for query in (
        {"filter": ["exists", name]},
        {"metrics": [{"agg": "sum", "field": name}]},
        {"group_by": [name]},
    ):
        response = world.post("/v1/query/series", query, keys=world.theirs)
        assert refusal(response) == (422, "unknown_property", name)
    values = world.get(f"/v1/meta/values?field={name}", keys=world.theirs)
    assert refusal(values) == (422, "unknown_property", name)


def test_a_cursor_is_read_back_as_it_was_written() -> None:
    cursor = Cursor(7, bytes(range(16)))
    assert read_cursor(write_cursor(cursor, "this list"), "this list") == cursor

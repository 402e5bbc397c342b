"""How queries are asked and answered: short form, formats, tags, and every refusal by its code."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connections
from django.test.utils import override_settings

from access.claims import Scope
from feed.codec import encode
from feed.deliveries import Delivery
from feed.ports import Record
from tests.api.query.world import HOUR_MS, World, refusal
from tests.builders import NOON_MS, make_event
from timeseries.api import threads
from timeseries.api.threads import QueryThreads
from timeseries.backends import SERIES_STORE
from timeseries.errors import QueryTimeout
from timeseries.generations import READER
from timeseries.projector import Projector
from timeseries.slots import SlotRegistry

SERIES = "/v1/query/series"
TIMES = {"from": NOON_MS - HOUR_MS, "to": NOON_MS + HOUR_MS}
QUERY: dict[str, Any] = {
    "range": TIMES,
    "interval": "1h",
    "metrics": [{"name": "n", "agg": "count"}],
}


@pytest.fixture(scope="module", autouse=True)
def _sent(world: World) -> None:
    world.send(
        [
            make_event(project=world.ours.project, properties='{"plan": "=1+1", "ms": 4}'),
            make_event(project=world.ours.project, event="visit", properties='{"plan": "pro"}'),
        ]
    )


def _as_parameter(query: object) -> str:
    return quote(json.dumps(query))


def test_a_get_with_the_query_as_json_answers_as_the_post(world: World) -> None:
    got = world.get(f"{SERIES}?query={_as_parameter(QUERY)}")
    assert got.json()["series"] == world.answer(SERIES, QUERY)["series"]


def test_the_short_form_says_the_same(world: World) -> None:
    address = (
        f"{SERIES}?metric=count&metric=p95:properties.ms&event=signup&event=visit"
        "&from=2026-11-01T12:00:00+01:00&to=2026-11-01T14:00:00%2B01:00&timezone=Europe/Berlin"
        "&interval=1h&group_by=event&limit=5&other=true&fill=null&week_start=sunday"
    )
    answer = world.get(address).json()
    assert answer["columns"] == ["count", "p95:properties.ms"]
    assert answer["query"] == {
        "range": {
            "from": "2026-11-01T12:00:00+01:00",
            "to": "2026-11-01T14:00:00+01:00",
            "timezone": "Europe/Berlin",
        },
        "interval": "1h",
        "week_start": "sunday",
        "metrics": [
            {"name": "count", "agg": "count"},
            {"name": "p95:properties.ms", "agg": "p95", "field": "properties.ms"},
        ],
        "filter": ["is", "event", ["signup", "visit"]],
        "group_by": ["event"],
        "limit": 5,
        "other": True,
        "fill": "null",
    }
    assert [series["total"] for series in answer["series"]] == [[1, 4], [1, None]]


def test_short_filters_and_presets_are_taken_too(world: World) -> None:
    where = _as_parameter(["exists", "properties.ms"])
    answer = world.get(f"/v1/query/total?range=today&event=signup&filter={where}").json()
    assert answer["query"]["filter"] == [
        "and",
        ["is", "event", ["signup"]],
        ["exists", "properties.ms"],
    ]


def test_a_tag_spares_the_answer_until_the_data_change(world: World) -> None:
    address = f"{SERIES}?query={_as_parameter(QUERY)}"
    first = world.get(address)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for tags in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
        again = world.get(address, headers={"If-None-Match": tags})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)

    for changed in (f"{address}&shape=rows", f"{SERIES}.csv?query={_as_parameter(QUERY)}"):
        assert world.get(changed, headers={"If-None-Match": tag}).status_code == 200
    world.send([make_event(project=world.ours.project, occurred_at_ms=NOON_MS - 100 * HOUR_MS)])
    assert world.get(address, headers={"If-None-Match": tag}).status_code == 200
    assert "etag" not in world.post(SERIES, QUERY).headers


def test_a_head_has_the_headers_of_the_get_alone(world: World) -> None:
    response = world.ask("HEAD", f"{SERIES}?query={_as_parameter(QUERY)}")
    assert (response.status_code, response.content) == (200, b"")
    assert "etag" in response.headers


@pytest.mark.parametrize(
    ("path", "accept", "content_type"),
    [
        (SERIES, None, "application/json"),
        (SERIES, "text/csv", "text/csv; charset=utf-8"),
        (SERIES, "text/html, application/x-ndjson;q=0.9, */*;q=0.8", "application/x-ndjson"),
        (SERIES, "application/json;q=0.2, text/csv;q=0.7", "text/csv; charset=utf-8"),
        (SERIES, "text/csv;q=none, image/png", "application/json"),
        (f"{SERIES}.json", "text/csv", "application/json"),
        (f"{SERIES}.csv", "application/json", "text/csv; charset=utf-8"),
        ("/v1/query/total.ndjson", None, "application/x-ndjson"),
    ],
)
def test_the_suffix_or_accept_chooses_the_format(
    world: World, path: str, accept: str | None, content_type: str
) -> None:
    headers = {"Accept": accept} if accept else {}
    response = world.post(path, QUERY, headers=headers)
    assert response.headers["content-type"] == content_type


def test_csv_guards_texts_that_a_spreadsheet_would_run(world: World) -> None:
    query = QUERY | {"group_by": ["properties.plan"], "fill": "none", "other": True}
    text = world.post(f"{SERIES}.csv", query).text
    assert text == (
        "start,end,properties.plan,other,n\r\n"
        "2026-11-01T12:00:00+00:00,2026-11-01T13:00:00+00:00,'=1+1,false,1\r\n"
        "2026-11-01T12:00:00+00:00,2026-11-01T13:00:00+00:00,pro,false,1\r\n"
    )


def test_shapes_are_those_of_chart_libraries(world: World) -> None:
    query = QUERY | {"group_by": ["event"]}
    rows = world.post(f"{SERIES}?shape=rows", query).json()
    assert rows[1] == {
        "time": "2026-11-01T12:00:00+00:00",
        "series": "signup",
        "metric": "n",
        "event": "signup",
        "value": 1,
    }
    assert world.post(f"{SERIES}?shape=columns", query).json() == {
        "time": [NOON_MS - HOUR_MS, NOON_MS],
        "series": [{"name": "signup", "values": [0, 1]}, {"name": "visit", "values": [0, 1]}],
    }


def test_a_token_in_the_address_opens_queries_by_get(world: World) -> None:
    token = world.ours.token(Scope.QUERY)
    nothing = {"Authorization": ""}
    address = f"{SERIES}?metric=count&access_token={token}"
    assert world.get(address, headers=nothing).status_code == 200
    assert refusal(world.get(f"/v1/meta/events?access_token={token}", headers=nothing))[0] == 401
    posted = world.ask("POST", f"{SERIES}?access_token={token}", headers=nothing, json=QUERY)
    assert refusal(posted)[:2] == (401, "unauthorized")


def test_a_token_without_the_scope_is_refused(world: World) -> None:
    headers = world.ours.bearer(Scope.INGEST)
    assert refusal(world.get(f"{SERIES}?metric=count", headers=headers))[:2] == (
        403,
        "missing_scope",
    )


def test_a_token_whose_filter_cannot_be_read_opens_nothing(world: World) -> None:
    for path in (SERIES, "/v1/query/events", "/v1/meta/values?field=event"):
        token = world.ours.token(token_filter=["like", "event", "x"])
        response = world.get(path, headers={"Authorization": f"Bearer {token}"})
        assert refusal(response)[:2] == (401, "invalid_token")
        assert "filter[0]" in response.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "query"),
        (b"{", "query"),
        (b'{"limit": 1e999}', "query"),
        (b'{"x": "\xff"}', "query"),
        (b'{"x": "\\ud800"}', "query"),
        (b"[" * 5000 + b"]" * 5000, "query"),
    ],
)
def test_what_is_no_json_is_refused_as_unreadable(world: World, body: bytes, field: str) -> None:
    assert refusal(world.ask("POST", SERIES, content=body)) == (400, "invalid_json", field)
    if b"\xff" not in body:
        assert refusal(world.get(f"{SERIES}?query={quote(body)}"))[:2] == (400, "invalid_json")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ([], "invalid_query", "query"),
        ({"metrics": [{"agg": "sum", "field": "type"}]}, "invalid_query", "metrics[0].field"),
        ({"compare": {"to": "previous"}}, "invalid_query", "compare"),
        ({"range": {"from": 0, "timezone": "Mars/Base"}}, "invalid_timezone", "range.timezone"),
        ({"range": {"from": 0}, "interval": "1s"}, "too_many_buckets", "interval"),
        ({"limit": 101}, "too_many_groups", "limit"),
    ],
)
def test_a_query_that_cannot_run_names_its_part(
    world: World, query: object, code: str, field: str
) -> None:
    assert refusal(world.post(SERIES, query)) == (422, code, field)


def test_a_number_beyond_a_double_names_its_part(world: World) -> None:
    body = b'{"filter": ["is", "properties.x", [1' + b"0" * 400 + b"]]}"
    response = world.ask("POST", SERIES, content=body)
    assert refusal(response) == (422, "invalid_query", "filter[2][0]")


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (f"{SERIES}?colour=1", "colour"),
        (f"{SERIES}?from=0&from=1", "from"),
        (f"{SERIES}?query=%7B%7D&limit=1", "limit"),
        (f"{SERIES}?limit=many", "limit"),
        (f"{SERIES}?other=perhaps", "other"),
        (f"{SERIES}?metric=median", "metrics[0].agg"),
        (f"{SERIES}?shape=round", "shape"),
        (f"{SERIES}.ndjson?shape=columns", "shape"),
        ("/v1/query/total?shape=columns", "shape"),
        (f"{SERIES}?timezone=%FF", "query"),
        (f"{SERIES}?" + "metric=count&" * 300, "query"),
        ("/v1/query/top", "group_by"),
    ],
)
def test_an_address_that_means_nothing_names_its_part(
    world: World, address: str, field: str
) -> None:
    assert refusal(world.get(address)) == (422, "invalid_query", field)


def test_bodies_are_json_uncompressed_and_bounded(world: World) -> None:
    xml = world.ask("POST", SERIES, content=b"{}", headers={"Content-Type": "application/xml"})
    assert refusal(xml)[:2] == (415, "unsupported_media_type")
    zipped = world.ask("POST", SERIES, content=b"{}", headers={"Content-Encoding": "gzip"})
    assert refusal(zipped)[:2] == (415, "unsupported_encoding")
    huge = world.ask("POST", SERIES, content=b" " * (256 * 1024 + 1))
    assert refusal(huge)[:2] == (413, "payload_too_large")
    for media_type in ("text/plain", "application/vnd.weir+json; charset=utf-8"):
        headers = {"Content-Type": media_type}
        assert world.ask("POST", SERIES, content=b"{}", headers=headers).status_code == 200


def test_other_methods_are_refused(world: World) -> None:
    assert refusal(world.ask("DELETE", SERIES))[:2] == (405, "method_not_allowed")
    assert refusal(world.ask("POST", "/v1/query/events"))[:2] == (405, "method_not_allowed")


@pytest.mark.parametrize("path", [SERIES, "/v1/query/events", "/v1/meta/events"])
def test_an_engine_that_is_away_is_503_with_a_time_to_wait(
    world: World, tmp_path: Path, path: str
) -> None:
    (tmp_path / "timeseries" / "generation-1.sqlite").mkdir(parents=True)
    held = SERIES_STORE.get()
    with override_settings(DATA_DIR=tmp_path):
        SERIES_STORE.forget()
        response = world.get(path)
        SERIES_STORE.get().close()
    SERIES_STORE.forget()
    held.close()
    assert refusal(response)[:2] == (503, "index_unavailable")
    assert int(response.headers["retry-after"]) >= 1


def test_a_query_over_its_time_limit_is_504(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timeseries.api.rest.QUERY_TIMEOUT_S", 0.0)
    assert refusal(world.post(SERIES, QUERY))[:2] == (504, "query_timeout")


def test_a_store_that_does_not_stop_in_time_holds_no_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()
    pool = QueryThreads(threads=1)
    monkeypatch.setattr(threads, "GRACE_S", 0.0)

    async def late() -> None:
        with pytest.raises(QueryTimeout):
            await pool.run(lambda _left_s: let_go.wait(30), timeout_s=0.05)

    asyncio.run(late())
    let_go.set()
    pool.close()


def test_more_queries_than_a_process_holds_are_told_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = QueryThreads(threads=1, most_unfinished=0)
    monkeypatch.setattr("timeseries.routing.get_query_threads", lambda: full)
    response = world.post(SERIES, QUERY)
    assert refusal(response)[:2] == (503, "index_unavailable")
    assert response.headers["retry-after"] == "1"
    full.close()


def test_a_registry_that_cannot_be_read_is_503(world: World, tmp_path: Path) -> None:
    entry = connections.settings["default"]
    name = entry["NAME"]
    entry["NAME"] = str(tmp_path)
    READER.forget()
    try:
        response = world.post(SERIES, QUERY)
    finally:
        entry["NAME"] = name
        READER.forget()
    assert refusal(response)[:2] == (503, "index_unavailable")
    assert response.headers["retry-after"] == "1"


def test_a_property_is_known_to_the_query_that_follows_its_first_event(world: World) -> None:
    """With registries apart, as in a projector and a web process of their own."""
    query = {"range": {"from": 0}, "filter": ["exists", "properties.fresh"]}
    assert world.answer("/v1/query/total", query)["series"][0]["total"] == [0]
    long_ago_ms = NOON_MS - 1000 * HOUR_MS
    event = make_event(
        project=world.ours.project, occurred_at_ms=long_ago_ms, properties='{"fresh": 1}'
    )
    deliveries = [Delivery(Record("events", 0, 0, 0, event.key, encode(event)), event)]
    Projector(SERIES_STORE.get(), SlotRegistry()).handle(deliveries)
    assert world.answer("/v1/query/total", query)["series"][0]["total"] == [1]


def test_pages_of_the_projects_origins_may_read_the_answer(world: World) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    preflight = world.ask("OPTIONS", SERIES, headers=asked)
    assert preflight.status_code == 204
    answer = world.get(SERIES, headers={"Origin": "https://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "ETag" in answer.headers["access-control-expose-headers"]
    foreign = world.get(SERIES, headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in foreign.headers

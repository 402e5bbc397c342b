"""Input that no client should send: each has its documented answer, and the door works on."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.claims import Scope
from feed.adapters.embedded import EmbeddedFeed
from feed.backends import FEED
from tests.builders import NOON_MS
from tests.ingest_builders import logged_events, make_row_text, open_ingest_feed, post
from tests.key_builders import ProjectKeys
from tests.unit.feed.loops import dead_letters

GOOD = make_row_text()
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {"Content-Encoding": "gzip"}
DEEP = b"[" * 20_000 + b"]" * 20_000


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedFeed]:
    """The feed that the doors publish to during the test."""
    opened = open_ingest_feed(tmp_path)
    monkeypatch.setattr(FEED, "get", lambda: opened)
    yield opened
    opened.close()


@pytest.fixture
def bearer(demo_keys: ProjectKeys) -> dict[str, str]:
    return demo_keys.bearer(Scope.INGEST)


UNREADABLE = {
    "no body": (b"", {}, 400, "empty_batch"),
    "white space": (b" \n ", {}, 400, "empty_batch"),
    "empty array": (b"[]", {}, 400, "empty_batch"),
    "empty batch": (b'{"batch":[]}', {}, 400, "empty_batch"),
    "empty lines": (b"\n \n", NDJSON, 400, "empty_batch"),
    "no JSON": (b"event=signup", {}, 400, "invalid_json"),
    "cut": (b'[{"event":"a"},', {}, 400, "invalid_json"),
    "cut object": (b'{"event":"a"', {}, 400, "invalid_json"),
    "NaN": (b'[{"event":NaN}]', {}, 400, "invalid_json"),
    "two documents": (b"{}{}", {}, 400, "invalid_json"),
    "deep and cut": (b"[" * 100_000, {}, 400, "invalid_json"),
    "a number": (b"5", {}, 400, "invalid_batch"),
    "a string": (b'"event"', {}, 400, "invalid_batch"),
    "null": (b"null", {}, 400, "invalid_batch"),
    "batch is an object": (b'{"batch":{"event":"a"}}', {}, 400, "invalid_batch"),
    "batch is null": (b'{"batch":null}', {}, 400, "invalid_batch"),
    "sent_at is no time": (
        b'{"batch":[{"event":"a"}],"sent_at":"x"}',
        {},
        400,
        "invalid_timestamp",
    ),
    "sent_at is deep": (
        b'{"batch":[{"event":"a"}],"sent_at":%s}' % DEEP,
        {},
        400,
        "invalid_timestamp",
    ),
    "cut gzip": (gzip.compress(GOOD)[:-4], GZIP, 400, "invalid_json"),
    "no gzip": (GOOD, GZIP, 400, "invalid_json"),
    "garbage after gzip": (gzip.compress(GOOD) + b"!", GZIP, 400, "invalid_json"),
    "a bomb": (gzip.compress(b"[" + b" " * 50_000_000), GZIP, 413, "payload_too_large"),
    "too long": (b" " * (5 * 1024 * 1024 + 1), {}, 413, "payload_too_large"),
    "too many": (b"[%s]" % b",".join([GOOD] * 1001), {}, 413, "too_many_events"),
    "too many lines": (b"\n".join([GOOD] * 1001), NDJSON, 413, "too_many_events"),
    "brotli": (GOOD, {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
    "gzip twice": (GOOD, {"Content-Encoding": "gzip, gzip"}, 415, "unsupported_encoding"),
    "an image": (GOOD, {"Content-Type": "image/png"}, 415, "unsupported_media_type"),
    "a multipart form": (
        GOOD,
        {"Content-Type": "multipart/form-data; boundary=x"},
        415,
        "unsupported_media_type",
    ),
    "latin 1": (
        GOOD,
        {"Content-Type": "application/json; charset=iso-8859-1"},
        415,
        "unsupported_media_type",
    ),
    "no media type at all": (GOOD, {"Content-Type": "json;;=/;"}, 415, "unsupported_media_type"),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_unreadable_request_is_a_problem_and_the_door_works_on(
    feed: EmbeddedFeed, bearer: dict[str, str], name: str
) -> None:
    body, headers, status, code = UNREADABLE[name]
    reply = await post(body, {**bearer, **headers})
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["type"] == f"/docs/errors/{code}"
    assert dead_letters(feed) == []
    assert (await post(GOOD, bearer)).status_code == 200


BAD_ROWS = {
    "1e999": (b'{"event":"a","properties":{"n":1e999}}', "invalid_properties"),
    "over 64 bit": (b'{"event":"a","properties":{"n":18446744073709551616}}', "invalid_properties"),
    "thousands of digits": (
        b'{"event":"a","properties":{"n":%s}}' % (b"9" * 10_000),
        "invalid_properties",
    ),
    "NUL": (b'{"event":"a","properties":{"n":"\\u0000"}}', "invalid_properties"),
    "NUL in a name": (b'{"event":"a","properties":{"\\u0000":1}}', "invalid_properties"),
    "lone surrogate": (b'{"event":"a","properties":{"n":"\\ud800"}}', "invalid_properties"),
    "surrogates turned round": (
        b'{"event":"a","context":{"n":"\\ude00\\ud83d"}}',
        "invalid_properties",
    ),
    "surrogate in the name of the event": (b'{"event":"\\udead"}', "invalid_event"),
    "invalid UTF-8": (b'{"event":"a","properties":{"n":"\xff"}}', "invalid_properties"),
    "UTF-8 of a surrogate": (b'{"event":"\xed\xa0\x80"}', "invalid_event"),
    "deep": (b'{"event":"a","properties":{"n":%s}}' % DEEP, "event_too_large"),
    "less deep": (
        b'{"event":"a","properties":{"n":%s}}' % DEEP[15_000:25_000],
        "invalid_properties",
    ),
    "a little deep": (
        b'{"event":"a","properties":{"n":%s}}' % DEEP[19_980:20_020],
        "invalid_properties",
    ),
    "deep where text is due": (b'{"event":%s}' % DEEP[15_000:25_000], "invalid_event"),
    "too large": (b'{"event":"a","properties":{"n":"%s"}}' % (b"x" * 33_000), "event_too_large"),
    "a number": (b"17", "invalid_event"),
    "null": (b"null", "invalid_event"),
    "an array": (b'[{"event":"a"}]', "invalid_event"),
    "no name": (b"{}", "missing_event"),
    "far ahead": (b'{"event":"a","timestamp":"2999-01-01T00:00:00Z"}', "timestamp_in_future"),
    "long ago": (b'{"event":"a","timestamp":"1999-12-31T23:59:59.999Z"}', "invalid_timestamp"),
}


@pytest.mark.parametrize("form", ["array", "batch", "ndjson"])
@pytest.mark.parametrize("name", BAD_ROWS)
async def test_a_bad_row_never_spoils_its_neighbours(
    feed: EmbeddedFeed, bearer: dict[str, str], name: str, form: str
) -> None:
    row, code = BAD_ROWS[name]
    rows = [make_row_text(id="before"), row, make_row_text(id="after")]
    forms = {
        "array": (b"[%s]" % b", ".join(rows), {}),
        "batch": (b'{"batch": [%s]}' % b",".join(rows), {}),
        "ndjson": (b"\n".join(rows), NDJSON),
    }
    body, headers = forms[form]
    reply = await post(body, {**bearer, **headers})
    assert reply.status_code == 200, reply.text
    assert [each["result"] for each in reply.json()["results"]] == ["ok", "rejected", "ok"]
    assert reply.json()["results"][1]["code"] == code
    assert {event.id for event in logged_events(feed)} == {"before", "after"}
    (letter,) = dead_letters(feed)
    assert (letter.code, letter.payload, letter.index) == (code, row[: 64 * 1024], 1)


@pytest.mark.parametrize("name", BAD_ROWS)
async def test_a_bad_event_alone_is_all_rejected(
    feed: EmbeddedFeed, bearer: dict[str, str], name: str
) -> None:
    row, code = BAD_ROWS[name]
    reply = await post(row, {**bearer, **NDJSON})
    assert (reply.status_code, reply.json()["code"]) == (400, "all_rejected")
    assert reply.json()["results"][0]["code"] == code
    assert (await post(GOOD, bearer)).status_code == 200


async def test_a_line_that_is_no_json_is_rejected_alone(
    feed: EmbeddedFeed, bearer: dict[str, str]
) -> None:
    reply = await post(GOOD + b'\n{"event":\n' + GOOD, {**bearer, **NDJSON})
    assert [row["result"] for row in reply.json()["results"]] == ["ok", "rejected", "ok"]
    assert reply.json()["results"][1]["code"] == "invalid_json"


@pytest.mark.parametrize("query", ["ack=never", "wait=26", "wait=x", "dry_run=maybe", "summary="])
async def test_a_wrong_parameter_is_refused_before_anything_is_published(
    feed: EmbeddedFeed, bearer: dict[str, str], query: str
) -> None:
    reply = await post(GOOD, bearer, path=f"/v1/events?{query}")
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_query")
    assert reply.json()["errors"][0]["field"] == query.partition("=")[0]
    assert logged_events(feed) == []


async def test_credentials_are_asked_for_before_the_body_is_read(feed: EmbeddedFeed) -> None:
    reply = await post(b"nope", {})
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_without_the_scope_may_not_send(
    feed: EmbeddedFeed, demo_keys: ProjectKeys
) -> None:
    reply = await post(GOOD, demo_keys.bearer(Scope.QUERY))
    assert (reply.status_code, reply.json()["code"]) == (403, "missing_scope")
    assert (logged_events(feed), dead_letters(feed)) == ([], [])


async def test_other_methods_are_refused(feed: EmbeddedFeed, bearer: dict[str, str]) -> None:
    reply = await post(b"", bearer, method="GET")
    assert reply.status_code == 405
    assert reply.headers["allow"] == "POST, OPTIONS"


async def test_the_project_is_the_keys_whatever_the_event_says(
    feed: EmbeddedFeed, bearer: dict[str, str]
) -> None:
    body = json.dumps({"event": "a", "id": "1", "timestamp": NOON_MS, "project": "other"})
    reply = await post(body.encode(), bearer)
    assert reply.json()["results"][0]["code"] == "unknown_field"
    assert [event.project for event in logged_events(feed)] == ["demo"]

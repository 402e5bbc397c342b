"""Where a document lies, and how it is written: pure functions of it and of its generation."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from feed.event import event_key
from tests.builders import NOON_MS
from tests.series_builders import make_document
from timeseries.adapters.elasticsearch.documents import Lines, document_id
from timeseries.adapters.elasticsearch.indices import (
    MOST_NAMES,
    Names,
    Place,
    period_bounds_ms,
    period_of,
    routed,
    routing_of,
    routings_of,
)

PLACE = Place(generation=1, monthly_from_year=2021, shards=1, spread=1)
NAMES = Names("weir")
LATEST_MS = 4_102_444_800_000


def ms(iso: str) -> int:
    return int(datetime.fromisoformat(iso).replace(tzinfo=UTC).timestamp()) * 1000


def test_years_before_the_generations_own_share_an_index() -> None:
    assert NAMES.index_at(PLACE, ms("2020-12-31T23:00")) == "weir-events-g1-2020"
    assert NAMES.index_at(PLACE, ms("2021-01-01")) == "weir-events-g1-2021-01"
    assert NAMES.index_at(PLACE, ms("2026-11-30T23:59:59") + 999) == "weir-events-g1-2026-11"


@given(st.integers(946_684_800_000, LATEST_MS), st.integers(946_684_800_000, LATEST_MS))
def test_a_search_names_the_index_of_every_time_in_its_range(one_ms: int, other_ms: int) -> None:
    from_ms, to_ms = sorted((one_ms, other_ms))
    named = NAMES.indices(PLACE, from_ms, to_ms + 1)

    if named != "weir-events-g1-*":
        assert len(named.split(",")) <= MOST_NAMES
        for time_ms in (from_ms, (from_ms + to_ms) // 2, to_ms):
            assert NAMES.index_at(PLACE, time_ms) in named.split(",")


@given(st.integers(946_684_800_000, LATEST_MS))
def test_a_period_holds_its_time_and_nothing_of_the_next(time_ms: int) -> None:
    start_ms, end_ms = period_bounds_ms(2021, time_ms)

    assert start_ms <= time_ms < end_ms
    assert period_of(2021, start_ms) == period_of(2021, end_ms - 1) == period_of(2021, time_ms)
    assert period_of(2021, end_ms) != period_of(2021, time_ms) != period_of(2021, start_ms - 1)


def test_a_spread_project_lies_where_its_searches_look() -> None:
    spread = Place(generation=1, monthly_from_year=2021, shards=4, spread=3)
    keys = [event_key("demo", str(number), NOON_MS) for number in range(50)]

    assert {routing_of(spread, "demo", key) for key in keys} == {"demo.0", "demo.1", "demo.2"}
    assert routings_of(spread, "demo") == ["demo.0", "demo.1", "demo.2"]


def test_a_project_that_is_not_spread_has_one_routing_and_none_without_a_choice_of_shards() -> None:
    key = event_key("demo", "1", NOON_MS)
    sharded = Place(generation=1, monthly_from_year=2021, shards=4, spread=1)

    assert routing_of(sharded, "demo", key) == "demo"
    assert routings_of(sharded, "demo") == ["demo"]
    assert routing_of(PLACE, "demo", key) == ""
    assert routings_of(PLACE, "demo") == [""]
    assert routed(*routings_of(PLACE, "demo")) == {}
    assert routed("demo.0", "demo.1") == {"routing": "demo.0,demo.1"}


def test_ids_ascend_with_keys_and_tell_projects_apart() -> None:
    early, late = event_key("demo", "1", NOON_MS), event_key("demo", "1", NOON_MS + 1)

    assert len(document_id("demo", early)) == 32
    assert document_id("demo", early) != document_id("other", early)
    assert document_id("demo", early) < document_id("demo", late)


def test_a_document_is_an_action_and_a_body_without_what_it_lacks() -> None:
    document = make_document(
        project="demo", id="1", version=7, user_id='u"1\n', values={3: ["ä", 2.5, True, "b"]}
    )
    lines = Lines(NAMES, PLACE)
    ((index, pair),) = lines.pairs([document])
    action, body = (json.loads(line) for line in pair.split(b"\n"))

    assert index == "weir-events-g1-2026-11"
    assert action == {
        "index": {
            "_id": document_id("demo", document.key),
            "version": 7 * 256,
            "version_type": "external_gte",
        }
    }
    assert body == {
        "p": "demo",
        "t": NOON_MS,
        "k": document.key.hex(),
        "v": 7,
        "h": document.hash24,
        "e": "signup",
        "y": "track",
        "u": 'u"1\n',
        "s.3": ["ä", "b"],
        "n.3": 2.5,
        "b.3": True,
    }
    assert lines.indices == {"weir-events-g1-2026-11"}


def test_the_line_of_a_document_says_its_shard_where_there_is_a_choice() -> None:
    spread = Place(generation=1, monthly_from_year=2021, shards=4, spread=3)
    document = make_document(project="demo", id="1", version=7)
    ((_, pair),) = Lines(NAMES, spread).pairs([document])

    action = json.loads(pair.split(b"\n")[0])
    assert action["index"]["routing"] == routing_of(spread, "demo", document.key)

"""/v1/query/series, total and top over real engines, through the ASGI doors."""

from typing import Any

import pytest

from tests.api.query.world import HOUR_MS, World
from tests.builders import NOON_MS, make_event

MIDNIGHT_MS = NOON_MS - 12 * HOUR_MS
DAY = {"from": MIDNIGHT_MS, "to": MIDNIGHT_MS + 24 * HOUR_MS}
COUNT = [{"name": "n", "agg": "count"}]


@pytest.fixture(scope="module", autouse=True)
def _sent(world: World) -> None:
    """A visit each hour of the day, and three signups at noon; another project's event too."""
    ours, theirs = world.ours.project, world.theirs.project
    visits = [
        make_event(
            project=ours,
            event="visit",
            user_id=f"u{hour % 3}",
            occurred_at_ms=MIDNIGHT_MS + hour * HOUR_MS + 60_000,
            properties=f'{{"country": "{"DE" if hour % 4 else "FR"}", "ms": {hour}}}',
        )
        for hour in range(24)
    ]
    signups = [
        make_event(project=ours, user_id=None, properties='{"plan": "=pro", "ms": -1.5}')
        for _ in range(3)
    ]
    foreign = make_event(project=theirs, properties='{"ms": 1000000}')
    world.send([*visits, *signups, foreign])


def _points(answer: dict[str, Any], series: int = 0) -> list[Any]:
    return [point["v"] for point in answer["series"][series]["points"]]


def test_hours_are_counted_and_the_answer_says_how(world: World) -> None:
    query = {"range": DAY, "interval": "1h", "metrics": COUNT}
    answer = world.answer("/v1/query/series", query)

    assert answer["columns"] == ["n"]
    (series,) = answer["series"]
    assert (series["group"], series["total"], "other" in series) == ({}, [27], False)
    assert _points(answer) == [[1]] * 12 + [[4]] + [[1]] * 11
    assert series["points"][0]["start"] == "2026-11-01T00:00:00+00:00"
    assert series["points"][0]["end"] == "2026-11-01T01:00:00+00:00"
    meta = answer["meta"]
    assert (meta["interval"], meta["generation"], meta["warnings"]) == ("1h", 1, [])
    assert meta["source"] in ("rollup", "documents")
    assert meta["took_ms"] >= 0
    assert meta["complete_through"].endswith("+00:00")


def test_the_query_as_it_ran_asks_the_same_when_sent_back(world: World) -> None:
    query = {
        "range": {"from": "2026-11-01", "to": "2026-11-02", "timezone": "Europe/Berlin"},
        "filter": ["not", ["is", "event", ["signup"]]],
        "metrics": [*COUNT, {"agg": "unique", "field": "user_id"}],
        "group_by": ["properties.country"],
    }
    first = world.answer("/v1/query/series", query)
    assert first["query"]["range"] == {
        "from": "2026-11-01T00:00:00+01:00",
        "to": "2026-11-02T00:00:00+01:00",
        "timezone": "Europe/Berlin",
    }
    again = world.answer("/v1/query/series", first["query"])
    assert (again["series"], again["query"]) == (first["series"], first["query"])


def test_every_aggregation_gives_its_figure(world: World) -> None:
    aggs = ["sum", "avg", "min", "max", "p50", "p95"]
    metrics = [{"agg": agg, "field": "properties.ms"} for agg in aggs]
    metrics += [{"agg": "unique", "field": "user_id"}, {"agg": "count"}, {"agg": "rate"}]
    where = ["is", "event", ["visit"]]
    query = {"range": DAY, "interval": "1d", "metrics": metrics, "filter": where}
    answer = world.answer("/v1/query/series", query)

    assert answer["series"][0]["total"] == pytest.approx(
        [276, 11.5, 0, 23, 11.5, 21.85, 3, 24, 24 / 86_400]
    )
    assert _points(answer) == [answer["series"][0]["total"]]


def test_a_rate_is_over_the_part_of_the_bucket_that_the_range_covers(world: World) -> None:
    half = {"from": NOON_MS - HOUR_MS // 2, "to": NOON_MS + HOUR_MS // 2}
    query = {"range": half, "interval": "1h", "metrics": [{"agg": "rate"}, {"agg": "count"}]}
    answer = world.answer("/v1/query/series", query)
    assert _points(answer) == [[0, 0], [4 / 1800, 4]]
    assert answer["series"][0]["points"][0]["start"] == "2026-11-01T11:00:00+00:00"


@pytest.mark.parametrize(
    ("fill", "points"),
    [("zero", [[0, None], [1, 0]]), ("null", [[None, None], [1, 0]]), ("none", [[1, 0]])],
)
def test_empty_buckets_hold_what_fill_says(world: World, fill: str, points: list[Any]) -> None:
    times = {"from": MIDNIGHT_MS - HOUR_MS, "to": MIDNIGHT_MS + HOUR_MS}
    metrics = [{"agg": "count"}, {"agg": "avg", "field": "properties.ms"}]
    query = {"range": times, "interval": "1h", "metrics": metrics, "fill": fill}
    assert _points(world.answer("/v1/query/series", query)) == points


def test_a_project_without_events_has_one_series_of_zeros(world: World) -> None:
    query = {"range": {"from": 0, "to": 2 * HOUR_MS}, "interval": "1h", "metrics": COUNT}
    answer = world.answer("/v1/query/series", query)
    assert answer["series"][0]["total"] == [0]
    assert _points(answer) == [[0], [0]]
    assert world.answer("/v1/query/total", query)["series"] == [{"group": {}, "total": [0]}]


def test_groups_are_ranked_and_the_rest_is_one(world: World) -> None:
    query = {
        "range": DAY,
        "interval": "1d",
        "metrics": COUNT,
        "group_by": ["properties.country"],
        "limit": 1,
        "other": True,
    }
    answer = world.answer("/v1/query/series", query)
    assert [(series["group"], series["total"]) for series in answer["series"]] == [
        ({"properties.country": "DE"}, [18]),
        (None, [9]),
    ]
    assert [series.get("other") for series in answer["series"]] == [None, True]
    whole = world.answer("/v1/query/top", query | {"limit": 10, "other": False})
    assert [(series["group"], series["total"]) for series in whole["series"]] == [
        ({"properties.country": "DE"}, [18]),
        ({"properties.country": "FR"}, [6]),
        ({"properties.country": None}, [3]),
    ]
    assert "points" not in whole["series"][0]


def test_a_total_is_one_figure_a_metric(world: World) -> None:
    metrics = [*COUNT, {"name": "s", "agg": "sum", "field": "properties.ms"}]
    query = {"range": DAY, "metrics": metrics, "interval": "1s"}
    answer = world.answer("/v1/query/total", query)
    assert (answer["columns"], answer["series"]) == (
        ["n", "s"],
        [{"group": {}, "total": [27, 271.5]}],
    )
    assert "interval" not in answer["meta"]


def test_a_property_that_nobody_sent_counts_as_absent_with_a_warning(world: World) -> None:
    where = ["is", "properties.nobody", ["x"]]
    answer = world.answer("/v1/query/total", {"range": DAY, "filter": where})
    assert answer["series"][0]["total"] == [0]
    (warning,) = answer["meta"]["warnings"]
    assert (warning["code"], warning["field"]) == ("unknown_property", "properties.nobody")


def test_the_json_type_decides_equality(world: World) -> None:
    for value, count in ((3, 1), ("3", 0), (True, 0)):
        query = {"range": DAY, "filter": ["is", "properties.ms", [value]]}
        assert world.answer("/v1/query/total", query)["series"][0]["total"] == [count]


def test_no_project_sees_another_ones_events(world: World) -> None:
    metrics = [*COUNT, {"agg": "max", "field": "properties.ms"}]
    query = {"range": DAY, "metrics": metrics, "group_by": ["event"]}
    for path in ("series", "total", "top"):
        ours = world.answer(f"/v1/query/{path}", query)["series"]
        theirs = world.answer(f"/v1/query/{path}", query, keys=world.theirs)["series"]
        assert [series["total"] for series in ours] == [[24, 23], [3, -1.5]]
        assert [series["total"] for series in theirs] == [[1, 1_000_000]]


def test_the_filter_of_a_token_limits_every_figure(world: World) -> None:
    token = world.ours.token(token_filter=["is", "event", ["signup"]])
    limited = {"Authorization": f"Bearer {token}"}
    query = {"range": DAY, "metrics": COUNT}
    answer = world.answer("/v1/query/total", query, headers=limited)
    assert answer["series"][0]["total"] == [3]
    assert answer["query"]["filter"] == ["is", "event", ["signup"]]
    wide = query | {"filter": ["or", ["exists", "event"], ["exists", "user_id"]]}
    assert world.answer("/v1/query/total", wide, headers=limited)["series"][0]["total"] == [3]

"""A whole query: defaults, limits, and errors that name the part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries.domain import (
    Agg,
    And,
    CoreField,
    Exists,
    Fill,
    Interval,
    Is,
    Metric,
    PropertyField,
    SeriesQuery,
    Unit,
)
from timeseries.errors import QueryRefused
from timeseries.intervals import AUTO_MAX_POINTS, LADDER, automatic, parse_interval
from timeseries.parsing import Asker, QueryKind, parse_query

ASKER = Asker("demo", 1_793_534_400_250)
DAY = {"from": "2026-11-01", "to": "2026-11-02"}


def _query(**members: object) -> SeriesQuery:
    return parse_query(members, QueryKind.SERIES, ASKER)


def _refusal(**members: object) -> tuple[str, str | None]:
    with pytest.raises(QueryRefused) as caught:
        _query(**members)
    return caught.value.code, caught.value.field


def test_an_empty_query_counts_the_last_day() -> None:
    query = _query()
    assert query.project == "demo"
    assert query.metrics == (Metric("count", Agg.COUNT),)
    assert query.to_ms - query.from_ms == 86_400_000
    assert (query.interval, query.fill, query.limit) == (Interval(5, Unit.MINUTE), Fill.ZERO, 10)
    assert (query.group_by, query.other, query.week_start_sunday) == ((), False, False)


def test_every_member_reaches_the_query() -> None:
    query = _query(
        range={**DAY, "timezone": "Europe/Berlin"},
        interval="1w",
        week_start="sunday",
        metrics=[{"name": "n", "agg": "count"}, {"agg": "p95", "field": "properties.ms"}],
        filter=["is", "event", ["signup"]],
        group_by=["properties.country", "type"],
        limit=7,
        other=True,
        fill="null",
    )
    assert query.metrics == (
        Metric("n", Agg.COUNT),
        Metric("p95:properties.ms", Agg.P95, PropertyField("properties.ms")),
    )
    assert query.filter == Is(CoreField.EVENT, ("signup",))
    assert query.group_by == (PropertyField("properties.country"), CoreField.TYPE)
    assert (query.limit, query.other, query.fill) == (7, True, Fill.NULL)
    assert query.week_start_sunday
    assert (query.timezone, len(query.buckets)) == ("Europe/Berlin", 1)


def test_the_filter_of_the_token_is_anded() -> None:
    asker = Asker("demo", ASKER.now_ms, Exists(CoreField.USER_ID))
    query = parse_query({"filter": ["is", "event", ["a"]]}, QueryKind.SERIES, asker)
    assert query.filter == And((Is(CoreField.EVENT, ("a",)), Exists(CoreField.USER_ID)))
    assert parse_query({}, QueryKind.TOTAL, asker).filter == Exists(CoreField.USER_ID)


def test_null_members_are_as_absent_ones() -> None:
    members = ("range", "interval", "metrics", "filter", "group_by", "limit", "other", "fill")
    assert _query(**dict.fromkeys(members)) == _query()


def test_totals_have_no_buckets_whatever_the_interval() -> None:
    query = parse_query({"range": {"from": 0}, "interval": "1s"}, QueryKind.TOTAL, ASKER)
    assert query.buckets == ()


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"colour": 1}, "colour"),
        ({"compare": {"to": "previous"}}, "compare"),
        ({"interval": "soon"}, "interval"),
        ({"interval": 60}, "interval"),
        ({"interval": "0m"}, "interval"),
        ({"interval": "2y"}, "interval"),
        ({"interval": "-1h"}, "interval"),
        ({"week_start": "tuesday"}, "week_start"),
        ({"week_start": 1}, "week_start"),
        ({"fill": "linear"}, "fill"),
        ({"fill": []}, "fill"),
        ({"other": "yes"}, "other"),
        ({"limit": 0}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"group_by": 5}, "group_by"),
        ({"group_by": ["type", "event", "user_id", "session_id"]}, "group_by"),
        ({"group_by": ["type", "colour"]}, "group_by[1]"),
        ({"group_by": ["type", "type"]}, "group_by[1]"),
        ({"metrics": []}, "metrics"),
        ({"metrics": "count"}, "metrics"),
        ({"metrics": [{"agg": "count", "name": str(i)} for i in range(21)]}, "metrics"),
        ({"metrics": ["count"]}, "metrics[0]"),
        ({"metrics": [{}]}, "metrics[0].agg"),
        ({"metrics": [{"agg": "median"}]}, "metrics[0].agg"),
        ({"metrics": [{"agg": ["count"]}]}, "metrics[0].agg"),
        ({"metrics": [{"agg": "count", "of": 1}]}, "metrics[0].of"),
        ({"metrics": [{"agg": "count"}, {"agg": "rate", "field": "event"}]}, "metrics[1].field"),
        ({"metrics": [{"agg": "sum"}]}, "metrics[0].field"),
        ({"metrics": [{"agg": "sum", "field": "user_id"}]}, "metrics[0].field"),
        ({"metrics": [{"agg": "unique", "field": "colour"}]}, "metrics[0].field"),
        ({"metrics": [{"agg": "count"}, {"agg": "count"}]}, "metrics[1].name"),
        ({"metrics": [{"agg": "count", "name": ""}]}, "metrics[0].name"),
        ({"metrics": [{"agg": "count", "name": 5}]}, "metrics[0].name"),
        ({"filter": ["is", "event", [3]]}, "filter[2][0]"),
    ],
)
def test_a_part_that_means_nothing_is_named(members: dict[str, object], field: str) -> None:
    assert _refusal(**members) == ("invalid_query", field)


@pytest.mark.parametrize("payload", [None, [], "count", 5])
def test_what_is_no_object_is_no_query(payload: object) -> None:
    with pytest.raises(QueryRefused) as caught:
        parse_query(payload, QueryKind.SERIES, ASKER)
    assert (caught.value.code, caught.value.field) == ("invalid_query", "query")


def test_a_ranking_needs_a_field() -> None:
    with pytest.raises(QueryRefused) as caught:
        parse_query({}, QueryKind.TOP, ASKER)
    assert (caught.value.code, caught.value.field) == ("invalid_query", "group_by")
    ranking = parse_query({"group_by": "event"}, QueryKind.TOP, ASKER)
    assert ranking.group_by == (CoreField.EVENT,)


def test_more_groups_than_a_hundred_are_refused() -> None:
    assert _query(limit=100).limit == 100
    assert _refusal(limit=101) == ("too_many_groups", "limit")


@pytest.mark.parametrize("agg", [agg for agg in Agg if agg not in (Agg.COUNT, Agg.RATE)])
def test_every_other_aggregation_is_of_a_property(agg: Agg) -> None:
    metrics = _query(metrics=[{"agg": agg.value, "field": "properties.x"}]).metrics
    assert metrics == (Metric(f"{agg.value}:properties.x", agg, PropertyField("properties.x")),)


def test_uniques_are_of_any_field() -> None:
    for field in CoreField:
        assert _query(metrics=[{"agg": "unique", "field": field.value}]).metrics[0].field is field


@pytest.mark.parametrize(
    ("written", "step"),
    [
        *[(str(step), str(step)) for step in LADDER],
        ("2s", "10s"), ("60s", "1m"), ("2m", "5m"), ("45m", "1h"), ("90m", "3h"), ("2h", "3h"),
        ("24h", "1d"), ("25h", "1w"), ("7d", "1w"), ("8d", "1mo"), ("30d", "1mo"), ("31d", "1mo"),
        ("32d", "1q"), ("2mo", "1q"), ("3mo", "1q"), ("4mo", "1y"), ("12mo", "1y"), ("4q", "1y"),
        ("366d", "1y"),
    ],
)  # fmt: skip
def test_any_other_duration_becomes_the_next_larger(written: str, step: str) -> None:
    assert str(parse_interval(written)) == step


@pytest.mark.parametrize(
    ("hours", "step"),
    [(1, "10s"), (24, "5m"), (168, "30m"), (720, "3h"), (24 * 90, "6h"), (24 * 365, "1d")],
)
def test_auto_is_the_smallest_step_for_some_hundred_points(hours: int, step: str) -> None:
    query = _query(range={"from": 0, "to": hours * 3_600_000}, interval="auto")
    assert str(query.interval) == step
    assert len(query.buckets) <= 400


def test_auto_always_fits() -> None:
    assert len(_query(range={"from": 0, "to": "2199-12-31"}).buckets) == 230
    assert str(automatic(AUTO_MAX_POINTS * 400 * 86_400_000)) == "1y"


def test_too_many_buckets_name_the_smallest_interval_allowed() -> None:
    times = {"from": 0, "to": 11_000 * 60_000}
    assert len(_query(range=times, interval="1m").buckets) == 11_000
    with pytest.raises(QueryRefused, match="the smallest interval allowed is 5m") as caught:
        _query(range={**times, "to": 11_000 * 60_000 + 1}, interval="1m")
    assert (caught.value.code, caught.value.field) == ("too_many_buckets", "interval")


def test_the_points_of_all_groups_count_together() -> None:
    times = {"from": 0, "to": 1_980 * 60_000}
    grouped: dict[str, object] = {
        "group_by": ["event"],
        "limit": 100,
        "interval": "1m",
        "other": True,
    }
    assert len(_query(range=times, **grouped).buckets) == 1_980
    with pytest.raises(QueryRefused, match="the smallest interval allowed is 5m"):
        _query(range={**times, "to": 1_981 * 60_000}, **grouped)


def test_the_interval_that_is_named_is_one_that_runs() -> None:
    for hours in (9_000, 90_000, 900_000):
        times = {"from": 0, "to": hours * 3_600_000}
        with pytest.raises(QueryRefused) as caught:
            _query(range=times, interval="1m")
        named = str(caught.value).rsplit(" ", 1)[1]
        smaller = LADDER[[str(step) for step in LADDER].index(named) - 1]
        assert _query(range=times, interval=named).buckets
        assert _refusal(range=times, interval=str(smaller)) == ("too_many_buckets", "interval")


_NAMES = (
    "range",
    "timezone",
    "interval",
    "week_start",
    "metrics",
    "filter",
    "group_by",
    "limit",
    "other",
    "fill",
    "colour",
)
_metrics = st.dictionaries(st.sampled_from(["agg", "field", "name"]), st.text(max_size=5))
_values = st.one_of(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    st.lists(st.text(max_size=4) | _metrics, max_size=3),
    st.sampled_from(["1h", "today", "sunday", "zero", "UTC"]),
)


@given(st.dictionaries(st.sampled_from(_NAMES), _values), st.sampled_from(QueryKind))
def test_any_json_runs_or_is_refused_by_its_part(payload: object, kind: QueryKind) -> None:
    try:
        query: SeriesQuery | None = parse_query(payload, kind, ASKER)
    except QueryRefused as refused:
        query, field = None, refused.field
    assert field if query is None else query.from_ms < query.to_ms

"""What is made of a store's figures, and what is asked of it."""

import pytest

from timeseries.domain import (
    CoreField,
    Exists,
    Fill,
    GroupFigures,
    PropertyField,
    SeriesQuery,
    StoreAnswer,
)
from timeseries.errors import QueryRefused
from timeseries.parsing import Asker, QueryKind, parse_query
from timeseries.queries import Answer, answer_of
from timeseries.resolution import Resolver

HOUR_MS = 3_600_000


class SlotsInHand:
    """A registry of two properties: one with a slot, one beyond the limit."""

    def lookup(self, project: str, name: str, generation: int) -> int | None:
        """Slot 17 is that of `properties.plan` in project demo's generation 3."""
        return 17 if (project, name, generation) == ("demo", "properties.plan", 3) else None

    def is_over_limit(self, project: str, name: str, generation: int) -> bool:
        """`properties.late` came after the last slot was given."""
        return name == "properties.late"


def _query(**members: object) -> SeriesQuery:
    times = {"from": HOUR_MS // 2, "to": 2 * HOUR_MS}
    payload = {"range": times, "interval": "1h"} | members
    return parse_query(payload, QueryKind.SERIES, Asker("demo", 0))


def _answer(query: SeriesQuery, *groups: GroupFigures) -> Answer:
    return answer_of(query, StoreAnswer(groups, "documents", {}), generation=1)


METRICS = [
    {"agg": "count"},
    {"agg": "rate"},
    {"agg": "sum", "field": "properties.x"},
    {"agg": "avg", "field": "properties.x"},
    {"agg": "unique", "field": "user_id"},
]


def test_a_rate_is_divided_by_the_seconds_that_the_range_covers() -> None:
    query = _query(metrics=[{"agg": "rate"}])
    answer = _answer(query, GroupFigures((), (5400,), {0: (1800,), 1: (3600,)}))
    assert answer.series[0].points == [(1,), (1,)]
    assert answer.series[0].total == (1,)


def test_nothing_found_is_one_series_of_zeros_unless_grouped() -> None:
    answer = _answer(_query(metrics=METRICS))
    assert [(series.group, series.total) for series in answer.series] == [((), (0, 0, 0, None, 0))]
    assert list(answer.series[0].points) == [(0, 0, 0, None, 0)] * 2
    assert _answer(_query(group_by=["event"])).series == []


@pytest.mark.parametrize(
    ("fill", "empty"),
    [(Fill.ZERO, (0, 0, 0, None, 0)), (Fill.NULL, (None,) * 5), (Fill.NONE, None)],
)
def test_empty_buckets_are_filled_as_asked(fill: Fill, empty: object) -> None:
    query = _query(metrics=METRICS, fill=fill.value)
    answer = _answer(query, GroupFigures((), (1, 1, None, None, 1), {1: (1, 1, None, None, 1)}))
    assert answer.series[0].points[0] == empty


def test_events_without_the_value_sum_to_zero_and_average_to_nothing() -> None:
    query = _query(metrics=METRICS, fill="null")
    answer = _answer(query, GroupFigures((), (1, 1, None, None, 0), {1: (1, 1, None, None, 0)}))
    assert answer.series[0].points[1] == (1, 1 / 3600, 0, None, 0)


def test_fields_are_resolved_wherever_they_stand() -> None:
    plan = PropertyField("properties.plan")
    query = _query(
        metrics=[{"agg": "count"}, {"agg": "sum", "field": "properties.plan"}],
        filter=["exists", "properties.plan"],
        group_by=["properties.plan", "event"],
    )
    resolver = Resolver(SlotsInHand(), "demo", 3)
    resolved = resolver.query(query)
    placed = PropertyField("properties.plan", 17)
    assert (query.metrics[1].field, resolved.metrics[1].field) == (plan, placed)
    assert resolved.filter == Exists(placed)
    assert resolved.group_by == (placed, CoreField.EVENT)
    assert resolver.warnings == {}


def test_a_property_that_nobody_sent_is_warned_of_once() -> None:
    query = _query(filter=["exists", "properties.none"], group_by=["properties.none"])
    resolver = Resolver(SlotsInHand(), "demo", 3)
    assert resolver.query(query).group_by == (PropertyField("properties.none", None),)
    (warning,) = resolver.warnings.values()
    assert (warning.code, warning.field) == ("unknown_property", "properties.none")


def test_a_property_beyond_the_slots_is_refused_never_counted_as_absent() -> None:
    query = _query(filter=["exists", "properties.late"])
    with pytest.raises(QueryRefused, match="stored but not queryable") as caught:
        Resolver(SlotsInHand(), "demo", 3).query(query)
    assert (caught.value.code, caught.value.field) == ("unknown_property", "properties.late")

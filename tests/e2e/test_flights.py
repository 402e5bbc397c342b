"""Real flights through HTTP, compared figure by figure with what pandas finds in the file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from tests.e2e.flights import (
    ZONE,
    batches,
    calendar_edges,
    counts_by,
    departed,
    events,
    quantile_bounds,
)
from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, own_settings
from tests.stack import Credentials, Stack

MARCH, WHOLE_YEAR = 3, None
EMBEDDED: Sequence[str] = ()
REAL = (KAFKA, CASSANDRA, ELASTICSEARCH)
SEED = 20130101
CLOCK_CHANGES = {3: ("2013-03-09", "2013-03-12"), 11: ("2013-11-02", "2013-11-05")}


@dataclass(frozen=True)
class Sent:
    """What went in and how to ask about it."""

    flights: pd.DataFrame
    url: str
    credentials: Credentials

    def series(self, start: str, end: str, **query: Any) -> dict[str, Any]:
        """The answer to a series query in New York's time."""
        body = {"range": {"from": start, "to": end, "timezone": ZONE}} | query
        answer = httpx.post(
            f"{self.url}/v1/query/series", json=body, headers=self.credentials.headers, timeout=60
        )
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    @property
    def months(self) -> list[int]:
        """The months covered."""
        return sorted(self.flights["local"].dt.month.unique().tolist())

    @property
    def span(self) -> tuple[str, str]:
        """First and past-the-last local date."""
        end = self.flights["local"].max() + pd.Timedelta(days=1)
        return str(self.flights["local"].min().date()), str(end.date())


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((MARCH, EMBEDDED), id="march"),
        pytest.param((MARCH, REAL), id="march-real"),
        pytest.param((WHOLE_YEAR, EMBEDDED), id="year", marks=pytest.mark.faults),
        pytest.param((WHOLE_YEAR, REAL), id="year-real", marks=pytest.mark.faults),
    ],
)
def sent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sent]:
    month, engines = request.param
    flights = departed(month)
    data_dir: Path = tmp_path_factory.mktemp("flights")
    with own_settings(request, engines) as settings, Stack(data_dir, settings) as stack:
        credentials = stack.create_project("flights")
        stack.start_all()
        with httpx.Client(timeout=60, headers=credentials.headers) as client:
            for batch in batches(events(flights), size=1000, seed=SEED):
                answer = client.post(f"{stack.url}/v1/events", params={"summary": 1}, json=batch)
                assert answer.status_code == 200, answer.text
                assert answer.json()["counts"]["ok"] == len(batch)
        stack.drain()
        yield Sent(flights, stack.url, credentials)


def edges_of(series: dict[str, Any]) -> list[str]:
    points = series["points"]
    return [point["start"] for point in points] + [points[-1]["end"]]


def column(series: dict[str, Any], index: int = 0) -> list[Any]:
    return [point["v"][index] for point in series["points"]]


COUNT = [{"name": "n", "agg": "count"}]


def test_hours_around_the_clock_changes_equal_the_file(sent: Sent) -> None:
    for month in set(sent.months) & set(CLOCK_CHANGES):
        start, end = CLOCK_CHANGES[month]

        series = sent.series(start, end, interval="1h", metrics=COUNT)["series"][0]

        hours = 71 if month == MARCH else 73
        assert len(series["points"]) == hours
        assert column(series) == counts_by(sent.flights, edges_of(series))


@pytest.mark.parametrize(("interval", "frequency"), [("1d", "D"), ("1mo", "MS")])
def test_days_and_months_equal_the_file(sent: Sent, interval: str, frequency: str) -> None:
    start, end = sent.span
    metrics = [*COUNT, {"name": "miles", "agg": "sum", "field": "properties.distance"}]

    series = sent.series(start, end, interval=interval, metrics=metrics)["series"][0]

    edges = calendar_edges(sent.flights, frequency)
    starts = [pd.Timestamp(edge) for edge in edges_of(series)]
    assert starts == [pd.Timestamp(edge) for edge in edges[: len(starts)]]
    assert column(series) == counts_by(sent.flights, edges_of(series))
    assert sum(column(series, 1)) == int(sent.flights.distance.sum())
    assert series["total"] == [len(sent.flights), int(sent.flights.distance.sum())]


def test_the_five_largest_carriers_and_the_rest_equal_the_file(sent: Sent) -> None:
    start, end = sent.span

    answer = sent.series(
        *(start, end),
        interval="1mo",
        metrics=COUNT,
        group_by=["properties.carrier"],
        limit=5,
        other=True,
    )

    counts = sent.flights.carrier.value_counts()
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [
        (series["group"]["properties.carrier"], series["total"][0])
        for series in answer["series"]
        if not series.get("other")
    ]
    rest = [series["total"][0] for series in answer["series"] if series.get("other")]
    assert shown == ranked[:5]
    assert rest == [sum(count for _, count in ranked[5:])]


def test_average_and_p95_of_the_delay_by_origin_and_week_equal_the_file(sent: Sent) -> None:
    start, end = sent.span
    metrics = [
        {"name": "mean", "agg": "avg", "field": "properties.dep_delay"},
        {"name": "p95", "agg": "p95", "field": "properties.dep_delay"},
    ]

    answer = sent.series(
        start, end, interval="1w", metrics=metrics, group_by=["properties.origin"], limit=10
    )

    rank_error = answer["meta"]["approximate"].get("p95", {"error": 0})["error"]
    assert {series["group"]["properties.origin"] for series in answer["series"]} == set(
        sent.flights.origin
    )
    for series in answer["series"]:
        flights = sent.flights[sent.flights.origin == series["group"]["properties.origin"]]
        for point in series["points"]:
            begin, stop = pd.Timestamp(point["start"]), pd.Timestamp(point["end"])
            delays = flights[(flights["at"] >= begin) & (flights["at"] < stop)].dep_delay
            low, high = quantile_bounds(delays, 0.95, rank_error)
            assert point["v"][0] == pytest.approx(delays.mean(), rel=1e-9)
            assert low - 1e-9 <= point["v"][1] <= high + 1e-9


def test_distinct_tail_numbers_by_month_equal_the_file(sent: Sent) -> None:
    start, end = sent.span
    metrics = [{"name": "planes", "agg": "unique", "field": "user_id"}]

    answer = sent.series(start, end, interval="1mo", metrics=metrics)

    error = answer["meta"]["approximate"].get("planes", {"error": 0})["error"]
    truth = (
        sent.flights.groupby(sent.flights["local"].dt.strftime("%Y-%m")).tailnum.nunique().tolist()
    )
    found = column(answer["series"][0])
    assert error <= 0.03
    assert len(found) == len(truth)
    for planes, true_planes in zip(found, truth, strict=True):
        assert abs(planes - true_planes) <= (error * true_planes if true_planes > 1000 else 0)

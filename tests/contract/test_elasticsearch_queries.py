"""What queries on Elasticsearch must get right beyond the port's contract: pages and limits of the
engine, sums that cancel out, texts that it refuses to look for."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.event import HOUR_MS
from tests import series_builders as build
from tests.builders import NOON_MS, make_project_name
from tests.contract.series_reading_contract import GENERATION
from tests.contract.series_store_contract import (
    EXAMPLES,
    ask,
    counted,
    renamed,
)
from tests.elasticsearch_view import opened_view
from tests.series_builders import AMOUNT, COUNT, COUNTRY, hourly, make_document, make_query
from tests.series_oracle import assert_answers
from timeseries.adapters.elasticsearch import cells, groups, sums, texts, uniques
from timeseries.adapters.elasticsearch.filters import WILDCARD_EFFORT, wildcard_effort
from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore
from timeseries.domain import Agg, CoreField, Matches, Metric, Not, Scalar, SeriesQuery, TextMatch
from timeseries.errors import QueryRefused, QueryTimeout
from timeseries.ports import Document

MONTH_MS = 31 * 24 * HOUR_MS
SUM = Metric("s", Agg.SUM, AMOUNT)
MEAN = Metric("a", Agg.AVG, AMOUNT)


@pytest.fixture(scope="module")
def store(
    elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ElasticsearchSeriesStore]:
    """One for all tests: each has projects of its own."""
    with opened_view(elasticsearch_url, tmp_path_factory.mktemp("queries")) as store:
        store.ensure(GENERATION)
        yield store


@pytest.fixture
def project() -> str:
    """A project of the test's own."""
    return make_project_name()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every limit so low that any query meets it."""
    monkeypatch.setattr(groups, "TERMS", 2)
    monkeypatch.setattr(groups, "PAGE", 2)
    monkeypatch.setattr(cells, "MAX_BUCKETS", 3)
    monkeypatch.setattr(sums, "PAGE", 2)
    monkeypatch.setattr(uniques, "SURE", 0)


def write(store: ElasticsearchSeriesStore, *documents: Document) -> None:
    """All of them in one batch."""
    assert list(store.write([documents], generations=(GENERATION,))) == []


@pytest.mark.usefixtures("small_pages")
class TestSmallPages:
    """Answers that take many searches."""

    @EXAMPLES
    @given(build.documents(), st.lists(build.queries(), min_size=1, max_size=3))
    def test_figures_read_in_many_searches_are_those_of_the_oracle(
        self,
        store: ElasticsearchSeriesStore,
        deliveries: list[Document],
        queries: list[SeriesQuery],
    ) -> None:
        project, documents = renamed(deliveries)
        write(store, *documents)

        for query in queries:
            asked = replace(query, project=project)
            assert_answers(ask(store, asked), asked, documents)

    def test_keys_and_names_are_whole(self, store: ElasticsearchSeriesStore, project: str) -> None:
        names = "aabbbcdefg"
        write(store, *[make_document(project=project, event=name) for name in names])

        seen = store.events_seen(project, generation=GENERATION, limit=3)
        assert [(each.event, each.count) for each in seen] == [("b", 3), ("a", 2), ("c", 1)]


def test_frequent_groups_are_ranked_over_all_indices(
    store: ElasticsearchSeriesStore, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each month has other favourites; `c` is no month's first and the first of all."""
    monkeypatch.setattr(groups, "TERMS", 2)
    favourites = [("a", "a", "a", "a", "c", "c", "c"), ("b", "b", "b", "b", "c", "c", "c")]
    documents = [
        make_document(project=project, at_ms=NOON_MS + month * MONTH_MS, values={0: value})
        for month, values in enumerate(favourites)
        for value in (*values, *"defgh")
    ]
    write(store, *documents)

    query = make_query(project=project, to_ms=NOON_MS + 2 * MONTH_MS, group_by=(COUNTRY,), limit=2)
    answer = ask(store, query)
    assert_answers(answer, query, documents)
    assert [each.group for each in answer.groups] == [("c",), ("a",), ()]


def test_sums_that_cancel_out_are_exact_by_bucket_and_in_total(
    store: ElasticsearchSeriesStore, project: str
) -> None:
    values = [[1.0, 1e100, 1.0, -1e100], [0.1, 0.2, -0.3], [1e16, 1.0], [-1e16, 1.0, 1.0]]
    documents = [
        make_document(project=project, at_ms=NOON_MS + hour * HOUR_MS, values=given)
        for hour, found in enumerate(values)
        for given in _alone_and_together(found)
    ]
    write(store, *documents)

    query = make_query(
        *(SUM, MEAN), project=project, to_ms=NOON_MS + 4 * HOUR_MS, edges_ms=hourly(4)
    )
    answer = ask(store, query)
    assert_answers(answer, query, documents)
    assert answer.approximate == {}


def _alone_and_together(numbers: list[float]) -> list[dict[int, Scalar | Sequence[Scalar]]]:
    found: list[dict[int, Scalar | Sequence[Scalar]]] = [{1: number} for number in numbers]
    return [*found, {1: numbers}]


def test_sums_too_long_to_read_state_their_error(
    store: ElasticsearchSeriesStore, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "MAX_NUMBERS", 3)
    for value in (1.0, 1e100, 1.0, -1e100):
        write(store, make_document(project=project, values={1: value}))

    assert ask(store, make_query(SUM, project=project)).approximate == {"s": 1.0}


def test_a_mean_is_known_where_the_sum_is_beyond_doubles(
    store: ElasticsearchSeriesStore, project: str
) -> None:
    for value in (1.5e308, 1.5e308, 1.5e308):
        write(store, make_document(project=project, values={1: value}))

    (whole,) = ask(store, make_query(SUM, MEAN, project=project)).groups
    assert whole.total == (None, 1.5e308)


@pytest.mark.parametrize("unit", ["a", "ab", "é", "😀*"])
@pytest.mark.parametrize("length", [500, 2_000])
def test_long_repetitive_texts_are_found(
    store: ElasticsearchSeriesStore, project: str, unit: str, length: int
) -> None:
    text = (unit * length)[:length]
    kept = ["x" + text + "y", text, text[:-1], text[:-1] + "z", "other"]
    write(store, *[make_document(project=project, values={0: value}) for value in kept])

    wanted = Matches(COUNTRY, TextMatch.CONTAINS, (text, "oth"))
    assert wildcard_effort(text) > WILDCARD_EFFORT
    assert counted(store, project, wanted) == 3
    assert counted(store, project, Not(wanted)) == 2


def test_a_text_to_be_looked_for_in_too_many_values_is_refused(
    store: ElasticsearchSeriesStore, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "MAX_VALUES", 2)
    kept = ["a" * length for length in (600, 601, 602)]
    write(store, *[make_document(project=project, values={0: value}) for value in kept])

    with pytest.raises(QueryRefused) as refused:
        counted(store, project, Matches(COUNTRY, TextMatch.CONTAINS, ("a" * 600,)))
    assert refused.value.code == "query_too_costly"


def test_a_long_text_without_repetition_is_found(
    store: ElasticsearchSeriesStore, project: str
) -> None:
    text = " ".join(map(str, range(1_700)))[:8_000]
    write(store, make_document(project=project, values={0: text + "!"}))

    for match, wanted in ((TextMatch.CONTAINS, text[1:]), (TextMatch.STARTS_WITH, text)):
        assert counted(store, project, Matches(COUNTRY, match, (wanted,))) == 1
        assert counted(store, project, Matches(COUNTRY, match, (wanted + "?",))) == 0


def test_a_query_out_of_time_says_so(store: ElasticsearchSeriesStore, project: str) -> None:
    with pytest.raises(QueryTimeout):
        store.figures(make_query(project=project), generation=GENERATION, timeout_s=0.0)


def test_many_unique_values_are_within_the_error_stated(
    store: ElasticsearchSeriesStore, project: str
) -> None:
    documents = [
        make_document(project=project, user_id=f"u{number}", values={1: float(number)})
        for number in range(9_000)
    ]
    write(store, *documents)

    query = make_query(
        Metric("u", Agg.UNIQUE, CoreField.USER_ID),
        Metric("p50", Agg.P50, AMOUNT),
        Metric("p99", Agg.P99, AMOUNT),
        COUNT,
        project=project,
    )
    answer = ask(store, query)
    assert_answers(answer, query, documents)
    assert answer.approximate == {"u": 0.03, "p50": 0.01, "p99": 0.01}

"""What every SeriesStore keeps: an adapter's tests subclass this and give it a store.

Each test, and each example of a property, has projects of its own, so that one store serves all.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feed.event import HOUR_MS
from tests import series_builders as build
from tests.builders import NOON_MS
from tests.contract.series_dropping_contract import SeriesDroppingContract
from tests.contract.series_reading_contract import (
    GENERATION,
    TIMEOUT_S,
    SeriesReadingContract,
    write,
)
from tests.series_builders import (
    AMOUNT,
    COUNT,
    COUNTRY,
    MIXED,
    NEVER_SENT,
    TAGS,
    UNSEEN,
    hourly,
    make_document,
    make_query,
)
from tests.series_oracle import assert_answers, remaining
from timeseries.domain import (
    EVERYTHING,
    Agg,
    Compare,
    Compares,
    CoreField,
    Exists,
    Filter,
    Is,
    Matches,
    Metric,
    Not,
    Scalar,
    SeriesQuery,
    StoreAnswer,
    TextMatch,
)
from timeseries.ports import Document, SeriesStore

EXAMPLES = settings(
    max_examples=60,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.differing_executors,  # one suite, several subclasses
    ],
)


def ask(store: SeriesStore, query: SeriesQuery) -> StoreAnswer:
    """The store's answer."""
    return store.figures(query, generation=GENERATION, timeout_s=TIMEOUT_S)


def counted(store: SeriesStore, project: str, where: Filter) -> int:
    """How many of the project's documents match."""
    (whole,) = ask(store, make_query(project=project, where=where)).groups
    return int(whole.total[0] or 0)


def ranked(answer: StoreAnswer) -> list[tuple[object, object]]:
    """The first field and the first figure of each group, in order."""
    return [(each.group[0] if each.group else "other", each.total[0]) for each in answer.groups]


def renamed(documents: Sequence[Document]) -> tuple[str, list[Document]]:
    """The same documents in projects that no other example knows; the name of `demo`'s."""
    mark = uuid4().hex[:8]
    moved = [each._replace(project=f"{each.project}-{mark}", key=each.key) for each in documents]
    return f"demo-{mark}", moved


class SeriesStoreContract(SeriesReadingContract, SeriesDroppingContract):
    """Subclass it with a fixture `store` that gives a SeriesStore."""

    # -- any documents, any query --

    @EXAMPLES
    @given(build.documents(), st.lists(build.queries(), min_size=1, max_size=4))
    def test_figures_are_those_of_the_oracle(
        self, store: SeriesStore, deliveries: list[Document], queries: list[SeriesQuery]
    ) -> None:
        project, documents = renamed(deliveries)
        for start in range(0, len(documents), 5):
            write(store, *documents[start : start + 5])

        for query in queries:
            asked = replace(query, project=project)
            assert_answers(ask(store, asked), asked, documents)

    @EXAMPLES
    @given(build.documents(), st.randoms(use_true_random=False), st.integers(1, 6))
    def test_order_repetition_and_batching_of_deliveries_change_nothing(
        self,
        store: SeriesStore,
        deliveries: list[Document],
        rng: random.Random,
        batch: int,
    ) -> None:
        project, documents = renamed(deliveries)
        shuffled = documents + rng.sample(documents, k=len(documents) // 2)
        rng.shuffle(shuffled)

        for start in range(0, len(shuffled), batch):
            put = rng.choice([store.write, store.restore])  # a sound view knows no difference
            assert not put([shuffled[start : start + batch]], generations=(GENERATION,))

        page = store.keys(
            project,
            EVERYTHING,
            generation=GENERATION,
            from_ms=0,
            to_ms=2 * NOON_MS,
            before=None,
            limit=1000,
        )
        kept = [each for each in remaining(documents) if each.project == project]
        assert sorted(page.keys) == sorted((each.key, each.version) for each in kept)
        query = make_query(
            COUNT,
            Metric("s", Agg.SUM, AMOUNT),
            Metric("least", Agg.MIN, MIXED),
            project=project,
            from_ms=NOON_MS,
            to_ms=NOON_MS + 6 * HOUR_MS,
            edges_ms=hourly(6),
            group_by=(CoreField.EVENT,),
        )
        assert_answers(ask(store, query), query, documents)
        by_country = replace(query, metrics=(COUNT,), group_by=(COUNTRY,))
        assert_answers(ask(store, by_country), by_country, documents)

    # -- types and filters --

    @pytest.mark.parametrize(
        ("value", "others"),
        [(3.0, ("3", True)), ("3", (3.0,)), (True, (1.0, "true", False)), (1.0, (True, "1"))],
    )
    def test_a_value_equals_only_values_of_its_json_type(
        self, store: SeriesStore, project: str, value: Scalar, others: Sequence[Scalar]
    ) -> None:
        write(
            store,
            make_document(project=project, values={3: value}),
            *[make_document(project=project, values={3: other}) for other in others],
        )

        assert counted(store, project, Is(MIXED, (value,))) == 1
        assert counted(store, project, Not(Is(MIXED, (value,)))) == len(others)
        answer = ask(store, make_query(project=project, group_by=(MIXED,)))
        assert len(answer.groups) == 1 + len(others)

    def test_documents_without_the_field_match_only_negations(
        self, store: SeriesStore, project: str
    ) -> None:
        write(store, make_document(project=project))

        for field in (COUNTRY, CoreField.USER_ID, NEVER_SENT, UNSEEN):
            assert counted(store, project, Is(field, ("DE",))) == 0
            assert counted(store, project, Not(Is(field, ("DE",)))) == 1
            assert counted(store, project, Not(Matches(field, TextMatch.CONTAINS, ("D",)))) == 1
            assert counted(store, project, Compares(field, Compare.GTE, 0.0)) == 0
            assert counted(store, project, Exists(field)) == 0

    def test_text_matches_by_case_and_code_point(self, store: SeriesStore, project: str) -> None:
        for text in ("Straße", "straße", "%_", "a\\b", "5"):
            write(store, make_document(project=project, values={0: text}))
        write(store, make_document(project=project, values={0: 5.0}))

        def contains(text: str) -> int:
            return counted(store, project, Matches(COUNTRY, TextMatch.CONTAINS, (text,)))

        def starts_with(text: str) -> int:
            return counted(store, project, Matches(COUNTRY, TextMatch.STARTS_WITH, (text,)))

        assert [contains(text) for text in ("traß", "S", "%", "_", "\\", "5", "")] == [
            *(2, 1, 1, 1, 1, 1, 5)
        ]
        assert [starts_with(text) for text in ("S", "Straße", "Straßen", "%", "")] == [
            *(1, 1, 0, 1, 5)
        ]

    def test_strings_are_ordered_by_code_point(self, store: SeriesStore, project: str) -> None:
        for text in ("Z", "a", "é", "\uffff", "\U00010000"):
            write(store, make_document(project=project, values={0: text}))

        assert counted(store, project, Compares(COUNTRY, Compare.GT, "\uffff")) == 1
        assert counted(store, project, Compares(COUNTRY, Compare.LT, "a")) == 1
        assert counted(store, project, Compares(COUNTRY, Compare.GTE, "a")) == 4
        assert counted(store, project, Compares(COUNTRY, Compare.LTE, "é")) == 3

    def test_order_comparisons_match_their_own_type_alone(
        self, store: SeriesStore, project: str
    ) -> None:
        for value in (-1.0, 2.0, "", "a", True, False):
            write(store, make_document(project=project, values={3: value}))
        write(store, make_document(project=project, values={3: [3.0, "b", True]}))

        def compared(compare: Compare, value: str | float) -> int:
            return counted(store, project, Compares(MIXED, compare, value))

        assert [compared(compare, 2.0) for compare in Compare] == [1, 2, 1, 2]
        assert [compared(compare, "a") for compare in Compare] == [1, 2, 1, 2]
        assert compared(Compare.GTE, "") == compared(Compare.GTE, -1.0) == 3

    # -- arrays and groups --

    def test_an_array_matches_by_any_element_and_counts_once_per_distinct_value(
        self, store: SeriesStore, project: str
    ) -> None:
        write(
            store,
            make_document(project=project, values={2: ["red", "red", "blue", 4.0, 4.0]}),
            make_document(project=project, values={2: "red"}),
            make_document(project=project),
        )

        assert counted(store, project, Is(TAGS, ("blue",))) == 1
        answer = ask(store, make_query(project=project, group_by=(TAGS,)))
        assert ranked(answer) == [("red", 2), (4.0, 1), ("blue", 1), (None, 1)]
        summed = make_query(
            Metric("s", Agg.SUM, TAGS), Metric("u", Agg.UNIQUE, TAGS), COUNT, project=project
        )
        assert ask(store, summed).groups[0].total == (8.0, 3, 3)

    def test_the_rest_are_events_that_match_no_group_shown(
        self, store: SeriesStore, project: str
    ) -> None:
        for tags in (["a", "b"], ["a", "c"], ["a"], ["b"], ["d"]):
            write(store, make_document(project=project, values={2: tags}))

        answer = ask(store, make_query(project=project, group_by=(TAGS,), limit=1))

        assert ranked(answer) == [("a", 3), ("other", 2)]
        assert [each.other for each in answer.groups] == [False, True]

    def test_absence_can_be_a_group_shown_and_is_then_no_rest(
        self, store: SeriesStore, project: str
    ) -> None:
        for values in ({}, {}, {0: "DE"}, {0: "FR"}):
            write(store, make_document(project=project, values=values))

        one = ask(store, make_query(project=project, group_by=(COUNTRY,), limit=1))
        two = make_query(project=project, group_by=(COUNTRY, CoreField.EVENT), limit=2)

        assert ranked(one) == [(None, 2), ("other", 2)]
        assert ranked(ask(store, two)) == [(None, 2), ("DE", 1), ("other", 1)]

    def test_without_a_rest_or_unasked_there_is_no_other(
        self, store: SeriesStore, project: str
    ) -> None:
        write(store, make_document(project=project, values={0: "DE"}))
        write(store, make_document(project=project, values={0: "FR"}))

        all_shown = make_query(project=project, group_by=(COUNTRY,), limit=2)
        unasked = make_query(project=project, group_by=(COUNTRY,), limit=1, other=False)
        assert ranked(ask(store, all_shown)) == [("DE", 1), ("FR", 1)]
        assert ranked(ask(store, unasked)) == [("DE", 1)]

    def test_groups_that_tie_are_ordered_numbers_strings_booleans_absence(
        self, store: SeriesStore, project: str
    ) -> None:
        write(store, make_document(project=project))
        for value in (True, "b", False, 10.0, "B", 9.0):
            write(store, make_document(project=project, values={3: value}))

        answer = ask(store, make_query(project=project, group_by=(MIXED,)))

        assert [each.group[0] for each in answer.groups] == [
            *(9.0, 10.0, "B", "b", False, True, None)
        ]

    def test_groups_without_a_figure_rank_last(self, store: SeriesStore, project: str) -> None:
        write(
            store,
            make_document(project=project, event="a"),
            make_document(project=project, event="b", values={1: -5.0}),
            make_document(project=project, event="c", values={1: 2.0}),
        )

        query = make_query(
            Metric("avg", Agg.AVG, AMOUNT), project=project, group_by=(CoreField.EVENT,)
        )
        assert ranked(ask(store, query)) == [("c", 2.0), ("b", -5.0), ("a", None)]

    # -- figures --

    def test_percentiles_are_interpolated_between_ranks(
        self, store: SeriesStore, project: str
    ) -> None:
        for number in (1.0, 2.0, 3.0, 4.0):
            write(store, make_document(project=project, values={1: number}))

        query = make_query(
            Metric("p50", Agg.P50, AMOUNT), Metric("p90", Agg.P90, AMOUNT), project=project
        )
        assert_answers(
            ask(store, query),
            query,
            [make_document(project=project, values={1: number}) for number in (1.0, 2.0, 3.0, 4.0)],
        )

    def test_sums_are_exact_for_whole_numbers_and_hold_under_cancellation(
        self, store: SeriesStore, project: str
    ) -> None:
        batches = [[1e16, 1.0, 0.1], [-1e16], [2.0**53, 1.0], [0.2], [-(2.0**53)]]
        documents = []
        for numbers in batches:
            batch = [make_document(project=project, values={1: number}) for number in numbers]
            write(store, *batch)
            documents += batch

        query = make_query(
            Metric("s", Agg.SUM, AMOUNT), Metric("a", Agg.AVG, AMOUNT), project=project
        )
        assert_answers(ask(store, query), query, documents)

    def test_a_sum_beyond_the_range_of_doubles_is_null(
        self, store: SeriesStore, project: str
    ) -> None:
        for number in (1.7e308, 1.7e308):
            write(store, make_document(project=project, values={1: number}))

        query = make_query(
            Metric("s", Agg.SUM, AMOUNT), Metric("most", Agg.MAX, AMOUNT), project=project
        )
        assert ask(store, query).groups[0].total == (None, 1.7e308)

    def test_rate_is_per_second_of_the_part_that_the_range_covers(
        self, store: SeriesStore, project: str
    ) -> None:
        for minute in (0, 50):
            write(store, make_document(project=project, at_ms=NOON_MS + minute * 60_000))

        query = make_query(
            Metric("r", Agg.RATE),
            project=project,
            from_ms=NOON_MS + 30 * 60_000,
            to_ms=NOON_MS + HOUR_MS,
            edges_ms=hourly(1),
        )
        (whole,) = ask(store, query).groups
        assert whole.total == (1 / 1800,)
        assert whole.points == {0: (1 / 1800,)}

    def test_buckets_of_23_and_25_hours_hold_what_lies_between_their_edges(
        self, store: SeriesStore, project: str
    ) -> None:
        edges = [NOON_MS, NOON_MS + 25 * HOUR_MS, NOON_MS + 48 * HOUR_MS]
        for at_ms in (*edges[:2], edges[1] - 1, edges[2] - 1, edges[2]):
            write(store, make_document(project=project, at_ms=at_ms))

        query = make_query(project=project, to_ms=edges[-1], edges_ms=edges)
        (whole,) = ask(store, query).groups
        assert whole.points == {0: (2,), 1: (2,)}

    def test_a_range_without_events_has_zeros_and_no_points_and_no_groups(
        self, store: SeriesStore, project: str
    ) -> None:
        metrics = (COUNT, *(Metric(agg, agg, AMOUNT) for agg in (Agg.SUM, Agg.AVG, Agg.UNIQUE)))
        empty = make_query(*metrics, project=project)
        for _ in range(2):  # a project never seen, then one seen elsewhere in time
            (whole,) = ask(store, empty).groups
            assert (whole.total, dict(whole.points)) == ((0, 0.0, None, 0), {})
            assert ask(store, replace(empty, group_by=(COUNTRY,))).groups == []
            write(store, make_document(project=project, at_ms=NOON_MS - HOUR_MS))

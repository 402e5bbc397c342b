"""Rollups of the embedded series store: where they answer, and that they always equal documents."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feed.event import HOUR_MS
from tests import series_builders as build
from tests.builders import NOON_MS
from tests.series_builders import (
    AMOUNT,
    COUNT,
    COUNTRY,
    MIXED,
    TAGS,
    hourly,
    make_document,
    make_query,
)
from tests.series_oracle import assert_answers, remaining
from timeseries.adapters.embedded import EmbeddedSeriesStore
from timeseries.adapters.embedded.schema import MAX_VALUES, TIERS_MS
from timeseries.adapters.embedded.values import document_values
from timeseries.domain import (
    Agg,
    And,
    Compare,
    Compares,
    CoreField,
    Exists,
    Is,
    Metric,
    Not,
    SeriesQuery,
)
from timeseries.ports import Document

SUM = Metric("s", Agg.SUM, AMOUNT)
DAY_MS = 24 * HOUR_MS
HALF_HOUR_MS = HOUR_MS // 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the store keeps its files."""
    return tmp_path / "timeseries"


@pytest.fixture
def store(folder: Path) -> Iterator[EmbeddedSeriesStore]:
    """A store that uses rollups where it can."""
    store = EmbeddedSeriesStore(folder)
    yield store
    store.close()


@pytest.fixture
def slow_store(folder: Path) -> Iterator[EmbeddedSeriesStore]:
    """The same files, answered from documents alone."""
    store = EmbeddedSeriesStore(folder, rollups=False)
    yield store
    store.close()


def write(store: EmbeddedSeriesStore, *documents: Document) -> None:
    store.write([documents], generations=(1,))


def source(store: EmbeddedSeriesStore, query: SeriesQuery) -> str:
    return store.figures(query, generation=1, timeout_s=30.0).source


def answers_agree(
    store: EmbeddedSeriesStore, slow_store: EmbeddedSeriesStore, query: SeriesQuery
) -> bool:
    fast = store.figures(query, generation=1, timeout_s=30.0)
    slow = slow_store.figures(query, generation=1, timeout_s=30.0)
    return (fast.groups, slow.source) == (slow.groups, "documents")


def wide(*metrics: Metric, **changes: object) -> SeriesQuery:
    return make_query(
        *metrics,
        to_ms=NOON_MS + 6 * HOUR_MS,
        edges_ms=hourly(6),
        **changes,  # type: ignore[arg-type]  # make_query's own
    )


def a_few_events() -> Sequence[Document]:
    rng = random.Random(4)
    return [
        make_document(
            id=str(index),
            at_ms=NOON_MS + index * 7 * 60_000,
            event=rng.choice(("buy", "view")),
            values={0: rng.choice(("DE", "FR")), 1: float(index), 2: ["a", "b"], 3: index % 2 == 0},
        )
        for index in range(50)
    ]


ROLLED_UP = {
    "counts": wide(COUNT, Metric("r", Agg.RATE)),
    "counts of some events": wide(where=Not(Is(CoreField.EVENT, ("buy",)))),
    "counts by event": wide(group_by=(CoreField.EVENT,)),
    "counts by a string": wide(group_by=(COUNTRY,)),
    "counts by a string and the event": wide(group_by=(COUNTRY, CoreField.EVENT)),
    "counts by a boolean": wide(group_by=(MIXED,)),
    "counts where a string is": wide(where=And((Is(COUNTRY, ("DE",)), Exists(CoreField.EVENT)))),
    "counts where a string is not": wide(where=Not(Compares(COUNTRY, Compare.GT, "E"))),
    "numbers": wide(SUM, Metric("a", Agg.AVG, AMOUNT), Metric("l", Agg.MIN, AMOUNT)),
    "numbers by event": wide(Metric("m", Agg.MAX, AMOUNT), COUNT, group_by=(CoreField.EVENT,)),
    "the rest": wide(group_by=(CoreField.EVENT,), limit=1),
}
FROM_DOCUMENTS = {
    "unique": wide(Metric("u", Agg.UNIQUE, CoreField.USER_ID)),
    "percentiles": wide(COUNT, Metric("p", Agg.P95, AMOUNT)),
    "numbers by a string": wide(SUM, group_by=(COUNTRY,)),
    "counts by two strings": wide(group_by=(COUNTRY, MIXED)),
    "counts by an array": wide(group_by=(TAGS,)),
    "counts by user": wide(group_by=(CoreField.USER_ID,)),
    "sums of a core field": wide(Metric("s", Agg.SUM, CoreField.USER_ID)),
    "minutes": make_query(edges_ms=[NOON_MS, NOON_MS + 60_000], to_ms=NOON_MS + 60_000),
}


@pytest.mark.parametrize("name", ROLLED_UP)
def test_rollups_answer_what_they_are_exact_for(
    store: EmbeddedSeriesStore, slow_store: EmbeddedSeriesStore, name: str
) -> None:
    write(store, *a_few_events())

    assert source(store, ROLLED_UP[name]) == "rollup"
    assert answers_agree(store, slow_store, ROLLED_UP[name])


@pytest.mark.parametrize("name", FROM_DOCUMENTS)
def test_documents_answer_all_else(store: EmbeddedSeriesStore, name: str) -> None:
    write(store, *a_few_events())

    assert source(store, FROM_DOCUMENTS[name]) == "documents"
    assert_answers(
        store.figures(FROM_DOCUMENTS[name], generation=1, timeout_s=30.0),
        FROM_DOCUMENTS[name],
        a_few_events(),
    )


def test_the_ends_of_a_range_are_read_from_documents_and_the_middle_from_rollups(
    store: EmbeddedSeriesStore, slow_store: EmbeddedSeriesStore
) -> None:
    write(store, *a_few_events())

    for metrics, group_by in (((COUNT,), (COUNTRY,)), ((SUM, COUNT), (CoreField.EVENT,))):
        query = make_query(
            *metrics,
            from_ms=NOON_MS + 1_000,
            to_ms=NOON_MS + 5 * HOUR_MS - 1,
            edges_ms=hourly(5),
            group_by=group_by,
        )
        assert source(store, query) == "rollup"
        assert answers_agree(store, slow_store, query)


def test_days_of_a_zone_at_half_hours_use_rollups(
    store: EmbeddedSeriesStore, slow_store: EmbeddedSeriesStore
) -> None:
    write(store, *a_few_events())
    edges = [NOON_MS - DAY_MS + HALF_HOUR_MS + index * DAY_MS for index in range(3)]
    hours = [NOON_MS + HALF_HOUR_MS + index * HOUR_MS for index in range(5)]

    for metric, points in ((COUNT, edges), (SUM, edges), (COUNT, hours)):
        query = make_query(metric, from_ms=points[0], to_ms=points[-1], edges_ms=points)
        assert source(store, query) == "rollup"
        assert answers_agree(store, slow_store, query)


def test_a_property_with_too_many_values_is_no_longer_counted_by_value(
    store: EmbeddedSeriesStore, slow_store: EmbeddedSeriesStore, folder: Path
) -> None:
    by_country = wide(group_by=(COUNTRY,), limit=3)
    values = [f"c{index:03}" for index in range(MAX_VALUES + 1)]
    documents = [
        make_document(id=value, at_ms=NOON_MS + index, values={0: value, 1: float(index)})
        for index, value in enumerate(values)
    ]
    write(store, *documents[:-1])
    assert source(store, by_country) == "rollup"

    write(store, documents[-1])

    assert source(store, by_country) == "documents"
    assert_answers(store.figures(by_country, generation=1, timeout_s=30.0), by_country, documents)
    assert rollup(folder, "value rows") == [(0,)]
    assert source(store, wide(SUM)) == "rollup"
    reopened = EmbeddedSeriesStore(folder)
    write(reopened, make_document(values={0: "c000"}))
    assert source(reopened, by_country) == "documents"
    reopened.close()


def test_what_another_process_learns_of_a_slot_is_known_here_before_the_next_write(
    store: EmbeddedSeriesStore, folder: Path
) -> None:
    documents = [make_document(values={0: "a", 1: 1.0})]
    other = EmbeddedSeriesStore(folder)
    write(store, *documents)
    theirs = [make_document(values={0: f"b{index}"}) for index in range(MAX_VALUES)]
    theirs.append(make_document(values={9: "a new column", 1: 2.0**1000, 5: ["x", "y"]}))
    write(other, *theirs)
    other.close()

    ours = [make_document(values={0: "a", 1: 3.0, 5: "z"})]
    write(store, *ours)

    assert rollup(folder, "numbers") == []
    assert rollup(folder, "unsealed") == [("demo", 1), ("demo", 9)]
    for query in (wide(SUM), wide(group_by=(COUNTRY,)), wide(Metric("u", Agg.UNIQUE, COUNTRY))):
        answer = store.figures(query, generation=1, timeout_s=30.0)
        assert answer.source == "documents"
        assert_answers(answer, query, documents + theirs + ours)


def test_an_array_ends_counting_by_value_and_not_the_sums(
    store: EmbeddedSeriesStore, slow_store: EmbeddedSeriesStore
) -> None:
    write(store, *a_few_events(), make_document(values={0: "DE", 1: [1.0, 1.0, 2.0]}))

    query = wide(SUM, Metric("l", Agg.MIN, AMOUNT), COUNT)
    assert source(store, query) == "rollup"
    assert answers_agree(store, slow_store, query)
    write(store, make_document(values={0: ["DE", "FR"]}))
    assert source(store, wide(group_by=(COUNTRY,))) == "documents"


def test_numbers_that_could_overflow_are_not_rolled_up(
    store: EmbeddedSeriesStore, slow_store: EmbeddedSeriesStore
) -> None:
    write(store, *a_few_events())
    write(store, make_document(id="+", values={1: 1.5e308}))
    write(store, make_document(id="++", values={1: 1.5e308}))
    write(store, make_document(id="-", values={1: -1.5e308}))
    query = make_query(
        *(Metric(agg, agg, AMOUNT) for agg in (Agg.SUM, Agg.AVG, Agg.P50, Agg.MAX)),
        to_ms=NOON_MS + 1,
    )

    assert source(store, wide(SUM)) == "documents"
    (whole,) = store.figures(query, generation=1, timeout_s=30.0).groups
    assert whole.total == (1.5e308, 3.75e307, 7.5e307, 1.5e308)


# -- always equal --

_ROLLUPS = {
    "counts": "SELECT p.name, tier, time, e.name, n FROM counts r"
    " JOIN projects p ON p.id = r.project_id JOIN event_names e ON e.id = r.event_id",
    "value_counts": "SELECT p.name, r.slot, time, e.name, v.value, n FROM value_counts r"
    " JOIN projects p ON p.id = r.project_id JOIN event_names e ON e.id = r.event_id"
    " JOIN slot_values v ON v.id = r.value_id",
    "value rows": "SELECT count(*) FROM value_counts",
    "numbers": "SELECT p.name, slot, time, e.name, n, total + low, least, most FROM numbers r"
    " JOIN projects p ON p.id = r.project_id JOIN event_names e ON e.id = r.event_id",
    "unsealed": "SELECT p.name, slot FROM slots s JOIN projects p ON p.id = s.project_id"
    " WHERE NOT sealed",
}


def rollup(folder: Path, table: str) -> list[tuple[object, ...]]:
    """The rows of a rollup, with names for ids."""
    connection = apsw.Connection(str(folder / "generation-1.sqlite"))
    try:
        return sorted(connection.execute(_ROLLUPS[table]).fetchall(), key=repr)
    finally:
        connection.close()


def hour_of(document: Document) -> int:
    return document.occurred_at_ms - document.occurred_at_ms % HOUR_MS


def counts_of(documents: Sequence[Document]) -> list[tuple[object, ...]]:
    counted = Counter(
        (each.project, tier, each.occurred_at_ms - each.occurred_at_ms % tier, each.event)
        for each in documents
        for tier in TIERS_MS
    )
    return sorted(((*cell, n) for cell, n in counted.items()), key=repr)


def values_of(
    documents: Sequence[Document], unsealed: Sequence[tuple[object, ...]]
) -> list[tuple[object, ...]]:
    counted = Counter(
        (each.project, slot, hour_of(each), each.event, value)
        for each in documents
        for slot, (value, *_) in document_values(each).items()
        if (each.project, slot) in unsealed
    )
    return sorted(((*cell, n) for cell, n in counted.items()), key=repr)


def numbers_of(documents: Sequence[Document]) -> list[tuple[object, ...]]:
    cells: dict[tuple[object, ...], list[float]] = {}
    for each in documents:
        for slot, numbers in each.numbers.items():
            cell = (each.project, slot, hour_of(each), each.event)
            cells.setdefault(cell, []).extend(numbers)
    found = [
        (*cell, len(numbers), sum(numbers), min(numbers), max(numbers))
        for cell, numbers in cells.items()
    ]
    return sorted(found, key=repr)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(build.documents(max_size=30), st.integers(1, 8))
def test_rollups_hold_what_the_documents_hold_whatever_was_corrected(
    tmp_path: Path, deliveries: list[Document], batch: int
) -> None:
    folder = tmp_path / uuid4().hex
    store = EmbeddedSeriesStore(folder)
    store.ensure(1)
    for start in range(0, len(deliveries), batch):
        write(store, *deliveries[start : start + batch])
    store.close()

    stay = remaining(deliveries)
    assert rollup(folder, "counts") == counts_of(stay)
    assert rollup(folder, "value_counts") == values_of(stay, rollup(folder, "unsealed"))
    assert rollup(folder, "numbers") == numbers_of(stay)

"""The embedded view mends what somebody changed in its file, documents and rollups alike."""

import apsw
import pytest

from tests.builders import NOON_MS
from tests.contract.series_reading_contract import GENERATION
from tests.contract.series_store_contract import ask
from tests.series_builders import COUNT, make_document, make_query
from timeseries.adapters.embedded import EmbeddedSeriesStore
from timeseries.domain import Agg, CoreField, Metric, PropertyField
from timeseries.ports import Document

AMOUNT = PropertyField("properties.amount", 0)
METRICS = (
    COUNT,
    Metric("sum", Agg.SUM, AMOUNT),
    Metric("least", Agg.MIN, AMOUNT),
    Metric("most", Agg.MAX, AMOUNT),
)


def damage(store: EmbeddedSeriesStore, sql: str) -> None:
    """Change the file as somebody with a shell would."""
    (path,) = store._folder.glob("generation-*.sqlite")
    connection = apsw.Connection(str(path))
    connection.execute(sql)
    connection.close()


def some(count: int = 40) -> list[Document]:
    """Documents over four hours, numbers and texts, one in five with several values."""
    return [
        make_document(
            id=str(number),
            user_id=f"u{number}",
            event="order" if number % 3 else "signup",
            at_ms=NOON_MS + number * 360_000,
            values={
                0: (float(number), 0.5) if number % 5 == 0 else float(number),
                1: f"plan-{number % 4}",
            },
        )
        for number in range(count)
    ]


def figures(store: EmbeddedSeriesStore) -> object:
    """Counts, sums, extremes by event, and by text."""
    from_ms, to_ms = NOON_MS, NOON_MS + 5 * 3_600_000
    people = Metric("people", Agg.UNIQUE, CoreField.USER_ID)
    plain = make_query(*METRICS, people, from_ms=from_ms, to_ms=to_ms)
    events = make_query(*METRICS, from_ms=from_ms, to_ms=to_ms, group_by=(CoreField.EVENT,))
    grouped = make_query(
        COUNT,
        from_ms=from_ms,
        to_ms=to_ms,
        group_by=(PropertyField("properties.plan", 1),),
    )
    return [ask(store, query).groups for query in (plain, events, grouped)]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM docs",
        "DELETE FROM docs WHERE event_id = 1",
        "DELETE FROM elements",
        "UPDATE docs SET s0 = 1000.0",
        "UPDATE docs SET s1 = 'other' WHERE event_id = 2",
        "UPDATE docs SET event_id = 1",
        "UPDATE docs SET user_id = 'somebody'",
    ],
)
def test_figures_are_those_of_before(store: EmbeddedSeriesStore, sql: str) -> None:
    documents = some()
    store.write([documents], generations=(GENERATION,))
    before = figures(store)
    from_documents = EmbeddedSeriesStore(store._folder, rollups=False)
    damage(store, sql)
    assert figures(from_documents) != before

    for start in range(0, len(documents), 7):
        store.restore([documents[start : start + 7]], generations=(GENERATION,))

    assert figures(store) == before
    assert figures(from_documents) == before
    from_documents.close()


def test_a_sound_file_is_not_changed(store: EmbeddedSeriesStore) -> None:
    documents = some()
    store.write([documents], generations=(GENERATION,))
    before = store.data_version("demo", generation=GENERATION)

    store.restore([documents], generations=(GENERATION,))

    assert store.data_version("demo", generation=GENERATION) == before

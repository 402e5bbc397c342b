"""The same query gives the same figures on every engine: any documents, any query, asked of a file
and of Elasticsearch side by side."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import series_builders as build
from tests.builders import NOON_MS
from tests.elasticsearch_view import opened_view
from timeseries.adapters.embedded import open_series_store
from timeseries.domain import Agg, Field, SeriesQuery
from timeseries.ports import Document, SeriesStore
from timeseries.queries import Answer, View, run_query

GENERATION = 1
TIMEOUT_S = 60.0
EXACT = frozenset({Agg.COUNT, Agg.RATE, Agg.MIN, Agg.MAX, Agg.UNIQUE})
RELATIVE_ERROR = 1e-9
EXAMPLES = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class ByNumber:
    """Slots of the properties that tests/series_builders.py names; implements Slots."""

    _slots = {
        field.name: field.slot
        for field in (build.COUNTRY, build.AMOUNT, build.TAGS, build.MIXED, build.UNSEEN)
    }

    def lookup(self, project: str, name: str, generation: int) -> int | None:
        """See Slots."""
        return self._slots.get(name)

    def is_over_limit(self, project: str, name: str, generation: int) -> bool:
        """See Slots."""
        return False


class Engines(NamedTuple):
    """The same documents in both."""

    embedded: SeriesStore
    elasticsearch: SeriesStore

    def write(self, documents: list[Document]) -> None:
        """To both."""
        for store in self:
            assert list(store.write([documents], generations=(GENERATION,))) == []

    def answers(self, query: SeriesQuery) -> list[Answer]:
        """Of both."""
        return [
            run_query(query, View(store, ByNumber(), GENERATION), timeout_s=TIMEOUT_S)
            for store in self
        ]


@pytest.fixture(scope="module")
def engines(elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """One pair for all examples: each has a project of its own."""
    folder: Path = tmp_path_factory.mktemp("agree")
    embedded = open_series_store("embedded:", {}, folder)
    with opened_view(elasticsearch_url, folder) as elasticsearch:
        for store in (embedded, elasticsearch):
            store.ensure(GENERATION)
        yield Engines(embedded, elasticsearch)
    embedded.close()


@EXAMPLES
@given(build.documents(), st.lists(build.queries(), min_size=1, max_size=4))
def test_both_engines_answer_alike(
    engines: Engines, deliveries: list[Document], queries: list[SeriesQuery]
) -> None:
    mark = uuid4().hex[:8]
    engines.write([each._replace(project=f"{each.project}-{mark}") for each in deliveries])

    for query in queries:
        assert_alike(*engines.answers(replace(query, project=f"demo-{mark}")))


@EXAMPLES
@given(build.documents(), build.FIELDS, st.sampled_from(("", "a", "b", "é")), st.integers(1, 5))
def test_both_engines_list_the_same_values_and_names(
    engines: Engines, deliveries: list[Document], field: Field, prefix: str, limit: int
) -> None:
    mark = uuid4().hex[:8]
    engines.write([each._replace(project=f"{each.project}-{mark}") for each in deliveries])
    query = build.make_query(
        project=f"demo-{mark}", to_ms=NOON_MS + build.SPAN_MS, group_by=(field,)
    )

    values, names = [], []
    for store in engines:
        values.append(
            list(
                store.values_seen(
                    query, generation=GENERATION, prefix=prefix, limit=limit, timeout_s=TIMEOUT_S
                )
            )
        )
        names.append(list(store.events_seen(f"demo-{mark}", generation=GENERATION, limit=limit)))
    assert values[0] == values[1]
    assert names[0] == names[1]


def assert_alike(one: Answer, other: Answer) -> None:
    """Groups, buckets and figures are equal; sums within 1e-9, as so few values need no sketch."""
    assert [_named(each.group, each.other) for each in one.series] == [
        _named(each.group, each.other) for each in other.series
    ]
    assert one.warnings == other.warnings
    for left, right in zip(one.series, other.series, strict=True):
        for here, there in zip(
            (left.total, *left.points), (right.total, *right.points), strict=True
        ):
            assert (here is None) == (there is None)
            for metric, figure, twin in zip(
                one.query.metrics, here or (), there or (), strict=True
            ):
                if figure is None or twin is None or metric.agg in EXACT:
                    assert figure == twin, metric
                else:
                    assert math.isclose(figure, twin, rel_tol=RELATIVE_ERROR, abs_tol=1e-12)


def _named(group: tuple[object, ...], other: bool) -> tuple[object, ...]:
    """With the types of the values: True is not 1.0."""
    return other, *((type(value), value) for value in group)

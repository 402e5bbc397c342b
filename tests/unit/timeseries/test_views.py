"""A query runs on one generation, and what it read counts only if that is still there."""

import pytest

from tests.fakes import FakeClock
from tests.series_builders import make_document
from timeseries.adapters.embedded import EmbeddedSeriesStore
from timeseries.errors import GenerationDropped, QueryRefused
from timeseries.generations import KEPT_S, GenerationReader
from timeseries.lifecycle import begin_generation, drop_generation, mark_ready, swap
from timeseries.slots import SlotRegistry
from timeseries.views import Views

pytestmark = pytest.mark.django_db


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def views(store: EmbeddedSeriesStore, time: FakeClock) -> Views:
    return Views(lambda: store, SlotRegistry, GenerationReader(time.clock.monotonic_s))


def test_a_swap_in_the_middle_of_a_query_changes_nothing_for_it(
    views: Views, time: FakeClock
) -> None:
    begin_generation()
    mark_ready(2)
    with views.on(None) as view:
        swap(2)
        time.move(KEPT_S)
    assert view.generation == 1
    with views.on(None) as view:
        assert view.generation == 2


def test_what_was_read_while_its_generation_went_counts_for_nothing(
    views: Views, store: EmbeddedSeriesStore, time: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drop frees when those who ask know of it: what a query may have missed, it is told."""
    monkeypatch.setattr("timeseries.lifecycle.get_series_store", lambda: store)
    begin_generation()

    def read() -> None:
        with views.on(2) as view:
            document = make_document()
            view.store.write([[document]], generations=(view.generation,))
            drop_generation(2, sleep=time.move)

    with pytest.raises(GenerationDropped):
        read()
    with pytest.raises(QueryRefused, match="no generation 2"), views.on(2):
        raise AssertionError("it is not there")


def test_a_refusal_in_the_middle_is_what_is_told(views: Views) -> None:
    with pytest.raises(QueryRefused, match="too long"), views.on(None):
        raise QueryRefused("invalid_query", "too long")

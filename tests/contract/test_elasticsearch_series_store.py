"""The Elasticsearch series store keeps the port's contract."""

from collections.abc import Iterator

import pytest

from tests.contract.series_store_contract import SeriesStoreContract
from tests.elasticsearch_view import fresh_prefix, open_view
from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore


@pytest.fixture(scope="module")
def view_url(elasticsearch_url: str) -> Iterator[str]:
    """One for all tests: each has projects of its own."""
    with fresh_prefix(elasticsearch_url) as url:
        yield url


@pytest.fixture(scope="module")
def store(
    view_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ElasticsearchSeriesStore]:
    store = open_view(view_url, tmp_path_factory.mktemp("view"))
    for generation in (1, 2, 3):
        store.ensure(generation)
    yield store
    store.close()


@pytest.fixture(scope="module")
def other(
    view_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ElasticsearchSeriesStore]:
    """On the same view."""
    store = open_view(view_url, tmp_path_factory.mktemp("other"))
    yield store
    store.close()


class TestElasticsearchSeriesStore(SeriesStoreContract):
    """As it runs."""

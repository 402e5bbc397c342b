"""The Elasticsearch series store keeps the port's contract."""

from collections.abc import Iterator

import pytest

from tests.contract.series_store_contract import SeriesStoreContract
from tests.elasticsearch_view import opened_view
from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore


@pytest.fixture(scope="module")
def store(
    elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ElasticsearchSeriesStore]:
    """One for all tests: each has projects of its own."""
    with opened_view(elasticsearch_url, tmp_path_factory.mktemp("view")) as store:
        for generation in (1, 2, 3):
            store.ensure(generation)
        yield store


class TestElasticsearchSeriesStore(SeriesStoreContract):
    """As it runs."""

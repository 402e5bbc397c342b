"""The Elasticsearch series store keeps the port's contract."""

from collections.abc import Iterator

import httpx
import pytest

from tests.contract.series_dropping_contract import Remains
from tests.contract.series_reading_contract import TIMEOUT_S
from tests.contract.series_store_contract import SeriesStoreContract
from tests.elasticsearch_view import fresh_prefix, open_view, server_of
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


@pytest.fixture
def place(view_url: str) -> str:
    return view_url


@pytest.fixture
def remains(view_url: str) -> Remains:
    """The indices of a generation."""
    prefix = view_url.partition("index_prefix=")[2]

    def indices(generation: int) -> list[str]:
        with httpx.Client(base_url=server_of(view_url), timeout=TIMEOUT_S) as server:
            pattern = f"{prefix}-events-g{generation}-*"
            return sorted(server.get(f"/{pattern}/_settings").raise_for_status().json())

    return indices


class TestElasticsearchSeriesStore(SeriesStoreContract):
    """As it runs."""

"""A comparison finds the same on embedded engines, and on Cassandra with Elasticsearch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.cassandra_keyspace import FOREVER_MS, Keyspace
from tests.contract.sides_contract import Harm, SidesContract
from tests.damage import ElasticsearchDamage, EmbeddedDamage
from tests.elasticsearch_view import fresh_prefix, open_view
from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore
from timeseries.adapters.embedded import EmbeddedSeriesStore, open_series_store
from warehouse.adapters.cassandra import CassandraEventStore
from warehouse.adapters.embedded import open_event_store
from warehouse.ports import EventStore
from warehouse.shards import ShardPlan


@pytest.fixture(scope="module")
def view_url(elasticsearch_url: str) -> Iterator[str]:
    """With a prefix of the module's own."""
    with fresh_prefix(elasticsearch_url) as url:
        yield url


class TestEmbeddedSides(SidesContract):
    """Files."""

    @pytest.fixture
    def events(self, tmp_path: Path) -> Iterator[EventStore]:
        """A warehouse of the test's own."""
        store = open_event_store("embedded:", {}, tmp_path)
        store.ensure()
        yield store
        store.close()

    @pytest.fixture
    def series(self, tmp_path: Path) -> Iterator[EmbeddedSeriesStore]:
        """A view of the test's own."""
        store = open_series_store("embedded:", {}, tmp_path)
        store.ensure(1)
        yield store
        store.close()

    @pytest.fixture
    def harm(self, tmp_path: Path) -> Harm:
        """To its file."""
        return lambda project: EmbeddedDamage(tmp_path, project)


class TestServerSides(SidesContract):
    """Cassandra with four shards an hour, and Elasticsearch."""

    @pytest.fixture
    def events(self, keyspace: Keyspace) -> Iterator[CassandraEventStore]:
        """Each test has a project of its own in it."""
        store = keyspace.open(load_plan=lambda project: ShardPlan(FOREVER_MS, (0,), (4,)))
        yield store
        store.close()

    @pytest.fixture
    def series(self, view_url: str, tmp_path: Path) -> Iterator[ElasticsearchSeriesStore]:
        """Each test has a project of its own in it."""
        store = open_view(view_url, tmp_path)
        store.ensure(1)
        yield store
        store.close()

    @pytest.fixture
    def harm(self, view_url: str) -> Harm:
        """By HTTP."""
        return lambda project: ElasticsearchDamage(view_url, project)

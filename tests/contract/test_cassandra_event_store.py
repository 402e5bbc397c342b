"""The Cassandra event store holds the port's contract, and what only Cassandra must hold."""

from collections.abc import Iterator

import pytest

from tests.contract.cassandra_keyspace import Keyspace
from tests.contract.event_store_contract import EventStoreContract
from warehouse.adapters.cassandra import CassandraEventStore


class TestCassandraEventStore(EventStoreContract):
    @pytest.fixture
    def store(self, keyspace: Keyspace) -> Iterator[CassandraEventStore]:
        opened = keyspace.open()
        yield opened
        opened.close()

"""Real engines for tests: one Kafka, one Cassandra, one Elasticsearch for the whole run.

An address in the environment (TEST_KAFKA_URL, TEST_CASSANDRA_URL, TEST_ELASTICSEARCH_URL) takes
the place of an engine that the run would start itself. Tests share the servers and keep apart by
names of their own: a prefix of topics and groups, a keyspace, a prefix of indices.
"""

import os
from uuid import uuid4

import pytest


@pytest.fixture(scope="session")
def kafka_url() -> str:
    """`kafka://host:port`, without a query."""
    return os.environ["TEST_KAFKA_URL"]


@pytest.fixture(scope="session")
def cassandra_url() -> str:
    """`cassandra://host:port`, without a keyspace."""
    return os.environ["TEST_CASSANDRA_URL"]


@pytest.fixture(scope="session")
def elasticsearch_url() -> str:
    """`elasticsearch+http://host:port`, without a query."""
    return os.environ["TEST_ELASTICSEARCH_URL"]


def fresh_name() -> str:
    """A name that no other test has: good as a prefix of topics and indices, and as a keyspace."""
    return f"t{uuid4().hex[:16]}"

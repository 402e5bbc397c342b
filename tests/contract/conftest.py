"""What contract tests on real engines share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.contract.cassandra_keyspace import Keyspace


@pytest.fixture(scope="session")
def keyspace(cassandra_url: str) -> Iterator["Keyspace"]:
    """A keyspace with Weir's tables, shared by tests that keep apart by their projects."""
    from tests.contract.cassandra_keyspace import made_keyspace

    with made_keyspace(cassandra_url) as made:
        yield made

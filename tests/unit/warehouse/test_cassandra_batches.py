"""A batch of inserts has as many rows and bytes as it may, and its message's layout."""

import pytest
from msgspec.structs import replace

from tests.builders import NOON_MS, make_event, make_row
from warehouse.adapters.cassandra.batches import MAX_BATCH_BYTES, Batch
from warehouse.ports import Partition, Row

PROJECT = "demo"


@pytest.fixture
def batch() -> Batch:
    return Batch(PROJECT, Partition(NOON_MS, 0), insert=b"insert", most_rows=3)


def row_of_bytes(size: int) -> Row:
    return replace(make_row(make_event()), record=bytes(size))


def test_a_batch_takes_so_many_rows(batch: Batch) -> None:
    for _ in range(3):
        assert batch.has_room(row_of_bytes(10))
        batch.add(row_of_bytes(10))
    assert not batch.has_room(row_of_bytes(10))


def test_a_batch_takes_so_many_bytes(batch: Batch) -> None:
    batch.add(row_of_bytes(MAX_BATCH_BYTES - 1))
    assert batch.has_room(row_of_bytes(1))
    assert not batch.has_room(row_of_bytes(2))


def test_a_row_that_is_larger_is_a_batch_by_itself(batch: Batch) -> None:
    large = row_of_bytes(MAX_BATCH_BYTES + 1)
    assert batch.has_room(large)
    batch.add(large)
    assert not batch.has_room(row_of_bytes(0))


def test_a_body_says_how_many_inserts_follow_and_each_begins_alike(batch: Batch) -> None:
    """Native protocol v4, section 4.1.7: the kind (1 is unlogged), a short, the statements."""
    batch.add(row_of_bytes(10))
    batch.add(row_of_bytes(20))
    body = batch.body()
    assert body[:9] == b"\x01\x00\x02insert"
    assert body.count(b"insert") == 2

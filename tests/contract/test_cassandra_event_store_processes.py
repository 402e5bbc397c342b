"""Several processes on one Cassandra, and kill -9 in the midst of an append."""

import signal

import pytest

from feed.event import HOUR_MS
from tests.builders import NOON_MS, make_project_name
from tests.contract.cassandra_keyspace import Keyspace
from tests.contract.event_store_processes import (
    LIMIT_S,
    check_processes_that_append_at_once_lose_nothing,
    check_what_append_returned_for_survives_kill_9,
    promised,
    start_writer,
    stored,
)
from warehouse.ports import Row


def test_processes_that_start_and_append_at_once_lose_nothing(keyspace: Keyspace) -> None:
    check_processes_that_append_at_once_lose_nothing(keyspace.url())


@pytest.mark.parametrize("kill_after", [0, 3, 8])
def test_what_append_returned_for_survives_kill_9(keyspace: Keyspace, kill_after: int) -> None:
    def rows_as_they_were_sent(after: dict[bytes, Row], found: set[bytes]) -> None:
        # A batch spans partitions: some of it may be there, and comes again from the feed.
        rows = stored(keyspace.url(), next(iter(after.values())).project)
        assert {key: rows[key] for key in found} == {key: after[key] for key in found}

    check_what_append_returned_for_survives_kill_9(
        keyspace.url(), kill_after, rows_as_they_were_sent
    )


def test_a_kill_between_listing_and_rows_leaves_partitions_without_rows_that_harm_nobody(
    keyspace: Keyspace,
) -> None:
    project, place = make_project_name(), keyspace.url()
    writer = start_writer(place, project, 0, batches=9, crash_point="sink.mid_batch:1")
    assert writer.communicate(timeout=LIMIT_S)[0].split() == []
    assert writer.returncode == -signal.SIGKILL
    store = keyspace.open()
    listed = store.partitions(project, NOON_MS, NOON_MS + 24 * HOUR_MS)
    store.close()
    assert len(listed) == 5
    assert stored(place, project) == {}
    again = start_writer(place, project, 0, batches=9)
    assert len(again.communicate(timeout=LIMIT_S)[0].split()) == 9
    assert stored(place, project) == promised(project, 0, [str(n) for n in range(9)])

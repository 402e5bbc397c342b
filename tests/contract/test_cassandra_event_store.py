"""The Cassandra event store holds the port's contract, and what only Cassandra must hold."""

import itertools
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from feed.event import HOUR_MS
from tests.builders import NOON_MS, make_project_name
from tests.contract.cassandra_keyspace import FOREVER_MS, Keyspace, drop
from tests.contract.event_store_contract import (
    EventStoreContract,
    append_shuffled,
    by_key,
    recount,
    row_at,
    rows_of,
    spread,
    window_of,
)
from tests.contract.event_store_looks_contract import EventStoreLooksContract
from tests.stack import free_port
from warehouse.adapters.cassandra import CassandraEventStore, appending
from warehouse.adapters.cassandra.batches import routing_key
from warehouse.adapters.cassandra.options import parse_options
from warehouse.adapters.cassandra.placing import shard_of
from warehouse.errors import StoreUnavailable, UnsafeStore
from warehouse.ports import Partition
from warehouse.shards import ShardPlan


@pytest.fixture
def store(keyspace: Keyspace) -> Iterator[CassandraEventStore]:
    opened = keyspace.open()
    yield opened
    opened.close()


@pytest.fixture
def empty(cassandra_url: str) -> Iterator[Keyspace]:
    """A name that no keyspace has; what a test makes of it is dropped."""
    unmade = Keyspace(cassandra_url)
    yield unmade
    store = unmade.open()
    drop(store, unmade.name)
    store.close()


def run_cql(store: CassandraEventStore, *statements: str) -> list[Any]:
    session = store._session.connected().session
    found: list[Any] = []
    for cql in statements:
        found = list(session.execute(cql, timeout=60))
    return found


class TestCassandraEventStore(EventStoreContract, EventStoreLooksContract):
    @pytest.fixture
    def store(self, keyspace: Keyspace) -> Iterator[CassandraEventStore]:
        opened = keyspace.open()
        yield opened
        opened.close()


# -- versions --


def test_two_records_of_one_key_and_one_version_never_mix_whatever_the_order(
    store: CassandraEventStore,
) -> None:
    row = row_at(NOON_MS, make_project_name())
    twins = [
        replace(row, event="a", record=b"zzz"),
        replace(row, event="z", record=b"aaa"),
        replace(row, event="m", record=b"mmm" * 50),
    ]
    winners = set()
    for order in itertools.permutations(twins):
        project = make_project_name()
        placed = [replace(each, project=project) for each in order]
        for each in placed:
            store.append([each])
        found = store.get(project, [row.key])[row.key]
        assert found in placed
        winners.add((found.event, found.record))
    assert len(winners) == 1, "the order of delivery decided"


def test_a_version_is_the_write_time_of_its_row(
    store: CassandraEventStore, keyspace: Keyspace
) -> None:
    row = row_at(NOON_MS, make_project_name())
    store.append([row])
    found = run_cql(
        store,
        f"SELECT stored.record, writetime(stored), project FROM {keyspace.name}.events",  # noqa: S608
    )
    assert (row.record, row.version, row.project) in found


def test_batches_are_routed_as_the_driver_routes_what_it_binds(
    store: CassandraEventStore,
) -> None:
    with store._session.used() as (session, statements):
        bound = statements.insert_event.bind(
            ("naïve", NOON_MS, 3, b"k" * 16, ("signup", b"record"), 1)
        )
        key = routing_key("naïve".encode(), Partition(NOON_MS, 3))
        metadata = session.cluster.metadata
        assert key == bound.routing_key
        assert metadata.get_replicas(bound.keyspace, key), "token awareness is off"


def test_partitions_that_have_begun_are_listed_together_before_any_row(
    keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second row of one fills its batch, while another has begun."""

    class Stopped(Exception):
        pass

    def stop(point: str) -> None:
        raise Stopped(point)

    project = make_project_name()
    one, other = row_at(NOON_MS, project), row_at(NOON_MS + HOUR_MS, project)
    store = keyspace.open(options={"batch_rows": "1"})
    monkeypatch.setattr(appending, "reach", stop)
    with pytest.raises(Stopped):
        store.append([one, other, row_at(NOON_MS + 1, project)])
    of_project = f"WHERE project = '{project}' ALLOW FILTERING"
    listed = f"SELECT toUnixTimestamp(hour) FROM {keyspace.name}.partitions {of_project}"  # noqa: S608
    rows = f"SELECT key FROM {keyspace.name}.events {of_project}"  # noqa: S608
    assert sorted(run_cql(store, listed)) == [(NOON_MS,), (NOON_MS + HOUR_MS,)]
    assert run_cql(store, rows) == []
    store.close()


def test_no_small_write_waits_for_the_line(store: CassandraEventStore) -> None:
    """Two requests in a row, the second held back by Nagle's algorithm until the first is
    acknowledged, cost 40 ms: every new partition is listed by two."""
    with store._session.used() as (session, _):
        connections = [pool._connection for pool in session.get_pools()]
        assert connections
        for connection in connections:
            assert connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# -- shards --


def test_hours_of_several_shards_are_scanned_shard_by_shard_and_counted_whole(
    keyspace: Keyspace,
) -> None:
    project = make_project_name()
    store = keyspace.open(load_plan=lambda project: ShardPlan(FOREVER_MS, (0,), (4,)))
    rows = spread(project, hours=3, each=20)
    append_shuffled(store, rows)
    pages = list(store.scan(window_of(project), page_rows=3))
    places = [(page.checkpoint.partition, row.key) for page in pages for row in page.rows]
    assert places == sorted(places)
    assert by_key(rows_of(pages)) == by_key(rows)
    assert len({partition for partition, _ in places}) > 3
    assert all(shard_of(key, 4) == partition.shard for partition, key in places)
    for index, page in enumerate(pages):
        resumed = store.scan(window_of(project), after=page.checkpoint, page_rows=3)
        assert rows_of(resumed) == rows_of(pages[index + 1 :])
    assert list(store.hours(window_of(project))) == recount(rows)
    assert store.get(project, [row.key for row in rows]) == {row.key: row for row in rows}
    store.close()


def test_a_step_moves_no_event_of_earlier_hours(keyspace: Keyspace) -> None:
    project = make_project_name()
    rows = spread(project, hours=4, each=25)
    before = keyspace.open()
    before.append(rows)
    plan = ShardPlan(FOREVER_MS, (NOON_MS + 4 * HOUR_MS,), (8,))
    after = keyspace.open(load_plan=lambda project: plan)
    later = [replace(row, key=_later(row.key, 4)) for row in rows]
    after.append(rows + later)
    assert by_key(rows_of(after.scan(window_of(project)))) == by_key([*rows, *later])
    assert list(after.hours(window_of(project))) == recount([*rows, *later])
    assert after.get(project, [row.key for row in later]) == {row.key: row for row in later}
    shards = {
        partition.hour_ms: partition.shard
        for partition in after.partitions(project, NOON_MS, NOON_MS + 4 * HOUR_MS)
    }
    assert set(shards.values()) == {0}
    before.close()
    after.close()


def _later(key: bytes, hours: int) -> bytes:
    return (int.from_bytes(key[:6], "big") + hours * HOUR_MS).to_bytes(6, "big") + key[6:]


# -- reading --


def test_another_store_sees_what_append_returned_for(
    store: CassandraEventStore, keyspace: Keyspace
) -> None:
    project = make_project_name()
    row = row_at(NOON_MS, project)
    store.append([row])
    other = keyspace.open()
    assert rows_of(other.scan(window_of(project))) == [row]
    other.close()


def test_a_window_of_all_times_is_read_by_the_months_that_there_are(
    store: CassandraEventStore,
) -> None:
    project = make_project_name()
    times = (0, NOON_MS, 253_402_300_800_000, 2**48 - 1)
    rows = [row_at(time_ms, project) for time_ms in times]
    store.append(rows)
    everything = window_of(project, start_ms=0, end_ms=2**48)
    assert rows_of(store.scan(everything)) == rows
    assert len(store.partitions(project, -1, 2**50)) == len(times)
    assert list(store.hours(everything)) == recount(rows)


def test_a_page_bigger_than_the_drivers_is_one_page(store: CassandraEventStore) -> None:
    project = make_project_name()
    rows = [row_at(NOON_MS + index, project) for index in range(2500)]
    store.append(rows)
    assert [len(page.rows) for page in store.scan(window_of(project), page_rows=2000)] == [
        2000,
        500,
    ]


# -- ensure --


def test_ensure_says_what_it_made_and_several_at_once_do_no_harm(empty: Keyspace) -> None:
    stores = [empty.open() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda store: store.ensure(), stores))
    made = {sentence for sentences in said for sentence in sentences}
    assert made == {
        f"made keyspace {empty.name} with replication 1",
        f"made type {empty.name}.stored_event",
        f"made table {empty.name}.events",
        f"made table {empty.name}.partitions",
        f"made table {empty.name}.months",
    }
    assert stores[0].ensure() == []
    row = row_at(NOON_MS, make_project_name())
    stores[1].append([row])
    assert stores[2].get(row.project, [row.key]) == {row.key: row}
    for store in stores:
        store.close()


def test_what_an_interrupted_ensure_left_out_is_made_by_the_next(empty: Keyspace) -> None:
    store = empty.open()
    store.ensure()
    run_cql(store, f"DROP TABLE {empty.name}.months")
    assert store.ensure() == [f"made table {empty.name}.months"]
    store.close()


def test_a_table_that_is_not_ours_is_refused(empty: Keyspace) -> None:
    store = empty.open()
    run_cql(
        store,
        f"CREATE KEYSPACE {empty.name} WITH replication = "
        "{'class': 'SimpleStrategy', 'replication_factor': 1}",
        f"CREATE TABLE {empty.name}.events (project text PRIMARY KEY, record blob)",
    )
    with pytest.raises(UnsafeStore, match="events is not as Weir makes it") as raised:
        store.ensure()
    assert "manage.py ensure_engines" in str(raised.value)
    store.close()


def test_less_replication_than_asked_for_is_refused_with_the_command_that_raises_it(
    keyspace: Keyspace,
) -> None:
    store = keyspace.open(options={"replication": "3"})
    with pytest.raises(UnsafeStore, match="has less replication") as raised:
        store.ensure()
    assert f"ALTER KEYSPACE {keyspace.name} WITH replication" in str(raised.value)
    assert "'datacenter1': 3" in str(raised.value)
    store.close()


def test_more_replication_than_there_are_nodes_is_refused(empty: Keyspace) -> None:
    store = empty.open(options={"replication": "9"})
    with pytest.raises(UnsafeStore, match="replication=9 needs as many nodes"):
        store.ensure()
    store.close()


# -- what goes wrong --


def test_a_missing_keyspace_names_the_command_and_is_found_once_it_is_made(
    empty: Keyspace,
) -> None:
    store = empty.open()
    row = row_at(NOON_MS, make_project_name())
    for use in (
        lambda: store.append([row]),
        lambda: store.ping(timeout_s=10),
        lambda: store.get(row.project, [row.key]),
        lambda: rows_of(store.scan(window_of(row.project))),
    ):
        with pytest.raises(StoreUnavailable, match="manage.py ensure_engines"):
            use()
    store.ensure()
    store.append([row])
    assert rows_of(store.scan(window_of(row.project))) == [row]
    store.close()


def test_a_keyspace_dropped_and_made_again_is_found_by_a_writer_that_outlived_it(
    empty: Keyspace,
) -> None:
    store = empty.open()
    store.ensure()
    row = row_at(NOON_MS, make_project_name())
    store.append([row])
    drop(store, empty.name)
    with pytest.raises(StoreUnavailable, match="manage.py ensure_engines"):
        store.append([row])
    store.ensure()
    store.append([row])
    assert rows_of(store.scan(window_of(row.project))) == [row]
    store.close()


def test_a_server_that_is_not_there_is_unavailable_in_time() -> None:
    url = f"cassandra://someone:secret%2F@127.0.0.1:{free_port()}/weir"
    store = CassandraEventStore(
        parse_options(url, {}), load_plan=lambda project: ShardPlan(FOREVER_MS)
    )
    row = row_at(NOON_MS, make_project_name())
    for use in (
        lambda: store.ping(timeout_s=3),
        lambda: store.append([row]),
        lambda: store.partitions(row.project, 0, NOON_MS),
        store.ensure,
    ):
        with pytest.raises(StoreUnavailable, match="cannot be reached") as raised:
            use()
        assert "secret" not in str(raised.value)
    store.close()


def test_a_partition_is_a_partition_of_the_port(store: CassandraEventStore) -> None:
    row = row_at(NOON_MS, make_project_name())
    store.append([row])
    assert store.partitions(row.project, 0, NOON_MS * 2) == [Partition(NOON_MS, 0)]

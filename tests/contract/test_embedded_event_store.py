"""The embedded event store holds the port's contract, and what only a file must hold."""

import os
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from feed.errors import WrongOption
from tests.builders import NOON_MS, make_project_name
from tests.contract.event_store_contract import (
    EventStoreContract,
    by_key,
    row_at,
    rows_of,
    spread,
    window_of,
)
from tests.contract.event_store_looks_contract import EventStoreLooksContract
from warehouse.adapters.embedded import EmbeddedEventStore, open_event_store
from warehouse.adapters.embedded import file as store_file
from warehouse.errors import StoreBackpressure, StoreUnavailable


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(data_dir: Path) -> Iterator[EmbeddedEventStore]:
    opened = open_event_store("embedded:", {}, data_dir)
    yield opened
    opened.close()


def events_file(data_dir: Path) -> Path:
    return data_dir / "warehouse" / "events.sqlite3"


class TestEmbeddedEventStore(EventStoreContract, EventStoreLooksContract):
    @pytest.fixture
    def store(self, data_dir: Path) -> Iterator[EmbeddedEventStore]:
        opened = open_event_store("embedded:", {}, data_dir)
        yield opened
        opened.close()


def test_opening_touches_no_file(store: EmbeddedEventStore, data_dir: Path) -> None:
    assert not data_dir.exists()


def test_ensure_says_what_it_made(store: EmbeddedEventStore, data_dir: Path) -> None:
    assert store.ensure() == [f"made {events_file(data_dir)}"]


def test_another_store_on_the_same_file_sees_what_append_returned_for(
    store: EmbeddedEventStore, data_dir: Path
) -> None:
    project = make_project_name()
    row = row_at(NOON_MS, project)
    store.append([row])
    other = open_event_store("embedded:", {}, data_dir)
    assert rows_of(other.scan(window_of(project))) == [row]
    other.close()


def test_a_scan_left_half_way_holds_no_read_transaction(
    store: EmbeddedEventStore, data_dir: Path
) -> None:
    project = make_project_name()
    store.append(spread(project, hours=2, each=5))
    scan = store.scan(window_of(project), page_rows=2)
    next(scan)
    checker = apsw.Connection(os.fspath(events_file(data_dir)))
    checker.execute("SELECT count(*) FROM placed").fetchall()
    log_pages, moved_pages = checker.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    checker.close()
    assert (log_pages, moved_pages) == (0, 0), "a reader stood in the checkpoint's way"
    assert len(rows_of(scan)) == 8


def test_the_write_ahead_log_is_cut_when_it_grows_over_its_bound(
    store: EmbeddedEventStore, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project_name()
    log = Path(f"{events_file(data_dir)}-wal")
    store.append(spread(project, hours=2, each=50))
    assert log.stat().st_size > 20_000
    monkeypatch.setattr(store_file, "MAX_LOG_BYTES", 20_000)
    store.append(spread(project, hours=1, each=1))
    assert log.stat().st_size == 0


def test_a_reader_that_holds_the_log_open_delays_no_writer(
    store: EmbeddedEventStore, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project_name()
    store.append(spread(project, hours=1, each=2))
    monkeypatch.setattr(store_file, "MAX_LOG_BYTES", 1)
    monkeypatch.setattr(store_file, "CUT_PATIENCE_MS", 1)
    reader = apsw.Connection(os.fspath(events_file(data_dir)))
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM placed").fetchall()
    store.append(spread(project, hours=1, each=3))
    reader.close()
    assert len(rows_of(store.scan(window_of(project)))) == 5


def test_a_lock_held_for_too_long_is_backpressure(
    store: EmbeddedEventStore, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feed.sqlite.BUSY_TIMEOUT_MS", 1)
    row = row_at(NOON_MS, make_project_name())
    store.append([row])
    holder = apsw.Connection(os.fspath(events_file(data_dir)))
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBackpressure, match="holds") as raised:
        store.append([row])
    assert not isinstance(raised.value, StoreUnavailable)
    assert raised.value.retry_after_s > 0
    assert store.get(row.project, [row.key]) == {row.key: row}, "readers do not wait for writers"
    holder.execute("ROLLBACK")
    store.append([row])
    holder.close()


def test_a_full_disk_is_unavailable_and_the_batch_can_be_offered_again(
    store: EmbeddedEventStore,
) -> None:
    project = make_project_name()
    rows = by_key(spread(project, hours=8, each=50))
    store.append(rows[:1])
    with store._file.lent() as connection:
        pages = connection.pragma("page_count")
        connection.pragma("max_page_count", pages)
    with pytest.raises(StoreUnavailable, match="full"):
        store.append(rows)
    assert rows_of(store.scan(window_of(project))) == rows[:1]
    store.append(rows)
    assert rows_of(store.scan(window_of(project))) == rows


def test_a_file_that_is_no_database_is_unavailable(
    store: EmbeddedEventStore, data_dir: Path
) -> None:
    events_file(data_dir).parent.mkdir(parents=True)
    events_file(data_dir).write_bytes(b"these are no tables of ours\n" * 200)
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        store.ping(timeout_s=1)


def test_a_folder_that_cannot_be_made_is_unavailable(
    store: EmbeddedEventStore, data_dir: Path
) -> None:
    data_dir.write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        store.append([row_at(NOON_MS, "demo")])


def test_a_file_of_a_newer_weir_is_left_alone(store: EmbeddedEventStore, data_dir: Path) -> None:
    store.ensure()
    newer = apsw.Connection(os.fspath(events_file(data_dir)))
    newer.pragma("user_version", 2)
    newer.close()
    with pytest.raises(StoreUnavailable, match="format 2"):
        open_event_store("embedded:", {}, data_dir).ping(timeout_s=1)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"replication": "3"}, "replication"),
        ({"cache_mb": "lots"}, "cache_mb='lots'"),
        ({"cache_mb": "0"}, "from 1 to"),
        ({"cache_mb": "99999"}, "from 1 to"),
        ({"cache_mb": "²"}, "whole number"),
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence_that_names_it(
    tmp_path: Path, options: dict[str, str], named: str
) -> None:
    with pytest.raises(WrongOption, match="WEIR_WAREHOUSE_URL") as raised:
        open_event_store("embedded:?", options, tmp_path)
    assert named in str(raised.value)


def test_a_cache_size_is_taken_from_the_url(tmp_path: Path) -> None:
    store = open_event_store("embedded:?cache_mb=2", {"cache_mb": "2"}, tmp_path)
    with store._file.lent() as connection:
        assert connection.pragma("cache_size") == -2 * 1024
    store.close()


def test_connections_that_failed_are_not_used_again(store: EmbeddedEventStore) -> None:
    store.ensure()
    with pytest.raises(apsw.SQLError), store._file.lent() as connection:
        connection.execute("BEGIN; SELECT nonsense")
    with store._file.lent() as connection:
        assert not connection.in_transaction


def test_a_connection_that_comes_back_after_close_is_closed(store: EmbeddedEventStore) -> None:
    with store._file.lent() as connection:
        store.close()
    with pytest.raises(apsw.ConnectionClosedError):
        connection.execute("SELECT 1")


def test_names_remembered_stay_bounded(
    store: EmbeddedEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.adapters.embedded.appending.MAX_REMEMBERED_NAMES", 3)
    project = make_project_name()
    rows = [row_at(NOON_MS + index, project, event=f"name {index % 7}") for index in range(40)]
    for row in rows:
        store.append([row])
    assert rows_of(store.scan(window_of(project))) == rows

"""The embedded series store when its file cannot be used, or a query takes too long."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from feed import sqlite
from feed.errors import WrongOption
from feed.sqlite import Connection, open_file
from tests.builders import NOON_MS
from tests.series_builders import make_document, make_query
from timeseries.adapters.embedded import EmbeddedSeriesStore, files, open_series_store
from timeseries.domain import Agg, CoreField, Metric
from timeseries.errors import GenerationDropped, QueryTimeout, SeriesError, SeriesUnavailable


def count(store: EmbeddedSeriesStore) -> object:
    answer = store.figures(make_query(), generation=1, timeout_s=30.0)
    return answer.groups[0].total[0]


def test_a_query_over_its_time_is_interrupted_and_the_next_one_runs(
    store: EmbeddedSeriesStore,
) -> None:
    documents = [make_document(at_ms=NOON_MS + index, user_id=str(index)) for index in range(9_000)]
    store.write([documents], generations=(1,))
    unique = make_query(Metric("u", Agg.UNIQUE, CoreField.USER_ID))

    with pytest.raises(QueryTimeout, match="shorter range"):
        store.figures(unique, generation=1, timeout_s=0.0)

    (whole,) = store.figures(unique, generation=1, timeout_s=30.0).groups
    assert whole.total == (9_000,)


def test_a_file_that_another_process_locks_asks_to_come_again(
    store: EmbeddedSeriesStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 20)
    store.write([[make_document(id="1")]], generations=(1,))
    other = apsw.Connection(str(tmp_path / "generation-1.sqlite"))
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(SeriesUnavailable, match="locked") as raised:
        store.write([[make_document(id="2")]], generations=(1,))

    assert raised.value.retry_after_s > 0
    assert count(store) == 1
    other.close()
    store.write([[make_document(id="2")]], generations=(1,))
    assert count(store) == 2


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "timeseries").write_text("a file where the folder should be")
    store = open_series_store("embedded:", {}, tmp_path)

    uses: list[Callable[[], object]] = [
        lambda: store.ping(timeout_s=1.0),
        lambda: store.ensure(1),
        lambda: store.write([[make_document()]], generations=(1,)),
        lambda: count(store),
    ]
    for use in uses:
        with pytest.raises(SeriesUnavailable, match="generation-1"):
            use()


def test_a_file_of_another_format_is_refused_by_name(tmp_path: Path) -> None:
    other = apsw.Connection(str(tmp_path / "generation-1.sqlite"))
    other.pragma("user_version", 99)
    other.close()

    with pytest.raises(SeriesError, match=r"generation-1\.sqlite has format 99"):
        EmbeddedSeriesStore(tmp_path).ensure(1)


def test_a_failed_batch_leaves_nothing_behind_also_in_memory(store: EmbeddedSeriesStore) -> None:
    good = make_document(event="new name", project="new project", values={7: "x"})
    lone_surrogate = good._replace(project="z", strings={0: ("\ud800",)})
    with pytest.raises(UnicodeEncodeError):
        store.write([[good, lone_surrogate]], generations=(1,))

    assert store.events_seen("new project", generation=1, limit=5) == []
    store.write([[good]], generations=(1,))
    assert [each.event for each in store.events_seen("new project", generation=1, limit=5)] == [
        "new name"
    ]


def test_threads_read_and_write_at_once(store: EmbeddedSeriesStore) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for index in range(10):
                store.write([[make_document(id=f"{number}-{index}")]], generations=(1,))
                count(store)
        except BaseException as exc:  # noqa: BLE001
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert failures == []
    assert count(store) == 60


def test_a_process_lets_go_of_a_dropped_generation_when_it_is_used_again(
    store: EmbeddedSeriesStore, tmp_path: Path
) -> None:
    """A deleted file keeps its space while somebody has it open."""
    other = EmbeddedSeriesStore(tmp_path)
    for each in (store, other):
        each.write([[make_document(id="1")]], generations=(1, 2))
        each.data_version("demo", generation=2)
    path = str(tmp_path / "generation-2.sqlite")
    assert opened(path)

    other.drop(2)
    assert opened(path)
    assert count(store) == 1

    assert not opened(path)
    other.close()


def test_a_file_that_comes_into_being_behind_a_drop_goes_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = EmbeddedSeriesStore(tmp_path), EmbeddedSeriesStore(tmp_path)

    def open_late(path: Path, **rest: int) -> Connection:
        if path.name == "generation-2.sqlite":
            other.drop(2)
        return open_file(path, **rest)

    monkeypatch.setattr(files, "open_file", open_late)
    with pytest.raises(GenerationDropped):
        store.write([[make_document()]], generations=(2,))

    assert list(tmp_path.glob("generation-2.sqlite*")) == []


def opened(path: str) -> list[str]:
    """The open files of this process whose path begins so, deleted ones too."""
    links = (os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return [link for link in links if link.startswith(path)]


def test_a_closed_store_opens_again(store: EmbeddedSeriesStore) -> None:
    store.write([[make_document()]], generations=(1,))
    store.close()
    store.close()

    assert count(store) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [({"rollup": "on"}, "no option"), ({"rollups": "maybe"}, "rollups='maybe'")],
)
def test_wrong_options_stop_with_the_name_of_the_setting(
    tmp_path: Path, options: dict[str, str], said: str
) -> None:
    with pytest.raises(WrongOption, match="WEIR_TIMESERIES_URL") as raised:
        open_series_store("embedded:", options, tmp_path)

    assert said in str(raised.value)

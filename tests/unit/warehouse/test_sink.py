"""The sink: from deliveries to rows, and what becomes of a store that does not take them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from django.core.management import call_command

from feed.codec import decode
from feed.errors import Backpressure
from feed.event import HOUR_MS, record_version
from feed.ports import OutgoingRecord
from feed.topics import Topic
from tests.builders import NOON_MS, make_event, make_project_name, make_row
from tests.local_pipeline import LocalPipeline
from tests.unit.warehouse.killed_sink import delivery_of
from warehouse.adapters.embedded import EmbeddedEventStore, open_event_store
from warehouse.ports import Row, ScanWindow
from warehouse.sink import WarehouseSink, row_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedEventStore]:
    opened = open_event_store("embedded:", {}, tmp_path)
    yield opened
    opened.close()


def stored(store: EmbeddedEventStore, project: str) -> list[Row]:
    window = ScanWindow(project, NOON_MS - HOUR_MS, NOON_MS + HOUR_MS)
    return [row for page in store.scan(window) for row in page.rows]


def test_a_row_carries_the_record_verbatim_under_the_events_key_and_version() -> None:
    event = make_event(properties='{"a": 1}', received_at_ms=NOON_MS + 5)
    delivery = delivery_of(event)
    row = row_of(delivery)
    assert row == make_row(event)
    assert row.record == delivery.record.value
    assert row.version == record_version(NOON_MS + 5, delivery.record.value)
    assert decode(row.record) == event


def test_a_batch_is_stored_whole_and_nothing_is_refused(store: EmbeddedEventStore) -> None:
    project = make_project_name()
    events = [make_event(project=project, occurred_at_ms=NOON_MS + n) for n in range(30)]
    assert list(WarehouseSink(store).handle([delivery_of(event) for event in events])) == []
    assert stored(store, project) == [make_row(event) for event in events]


def test_the_same_batch_again_changes_nothing(store: EmbeddedEventStore) -> None:
    project = make_project_name()
    batch = [delivery_of(make_event(project=project)) for _ in range(5)]
    sink = WarehouseSink(store)
    sink.handle(batch)
    before = stored(store, project)
    sink.handle([*batch, *batch])
    assert stored(store, project) == before


def test_an_empty_batch_is_handled(store: EmbeddedEventStore) -> None:
    assert list(WarehouseSink(store).handle([])) == []


def test_a_store_that_is_busy_makes_the_loop_wait(
    store: EmbeddedEventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feed.sqlite.BUSY_TIMEOUT_MS", 1)
    store.ensure()
    holder = apsw.Connection(os.fspath(tmp_path / "warehouse" / "events.sqlite3"))
    holder.execute("BEGIN IMMEDIATE")
    event = make_event(project=make_project_name())
    with pytest.raises(Backpressure, match="holds") as raised:
        WarehouseSink(store).handle([delivery_of(event)])
    holder.close()
    assert raised.value.retry_after_s > 0
    assert stored(store, event.project) == []


def test_a_store_that_is_broken_makes_the_loop_wait(tmp_path: Path) -> None:
    (tmp_path / "warehouse").write_text("a file where the folder should be")
    store = open_event_store("embedded:", {}, tmp_path)
    with pytest.raises(Backpressure, match="cannot be used"):
        WarehouseSink(store).handle([delivery_of(make_event())])


def test_the_command_drains_the_feed_into_the_warehouse(pipeline: LocalPipeline) -> None:
    project = make_project_name()
    events = [make_event(project=project, occurred_at_ms=NOON_MS + n) for n in range(60)]
    pipeline.publish_events([*events, *events[:20]])
    call_command("run_warehouse_sink", once=True)
    window = ScanWindow(project, NOON_MS, NOON_MS + HOUR_MS)
    found = [row for page in pipeline.events.scan(window) for row in page.rows]
    assert found == [make_row(event) for event in events]


def test_bytes_that_are_no_event_go_to_the_dead_letters_and_hold_up_nothing(
    pipeline: LocalPipeline,
) -> None:
    event = make_event(project=make_project_name())
    pipeline.publish(Topic.EVENTS, [OutgoingRecord(b"k", b"no event")])
    pipeline.publish_events([event])
    pipeline.store()
    assert pipeline.events.get(event.project, [event.key]) == {event.key: make_row(event)}
    ends = pipeline.feed.bounds(Topic.DEAD_LETTERS)
    assert sum(bounds.end for bounds in ends.values()) == 1


@pytest.mark.parametrize(
    ("point", "kept"), [("sink.before_write", 0), ("sink.mid_batch", 0), ("sink.after_write", 10)]
)
def test_a_sink_killed_at_any_point_stores_the_batch_whole_or_not_at_all(
    tmp_path: Path, store: EmbeddedEventStore, point: str, kept: int
) -> None:
    run = run_killed_sink(tmp_path, point)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert len(stored(store, "killed")) == kept


def run_killed_sink(data_dir: Path, point: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.unit.warehouse.killed_sink", str(data_dir), point],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "analyticsproject.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

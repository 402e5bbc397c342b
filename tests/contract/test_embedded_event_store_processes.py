"""Several processes on one embedded event store, and kill -9 in the midst of an append."""

import os
import signal
from pathlib import Path

import apsw
import pytest

from tests.builders import make_project_name
from tests.contract.event_store_processes import (
    LIMIT_S,
    check_processes_that_append_at_once_lose_nothing,
    check_what_append_returned_for_survives_kill_9,
    promised,
    start_writer,
    stored,
)
from tests.contract.event_store_writer import BATCH_ROWS
from warehouse.ports import Row


def test_processes_that_start_and_append_at_once_lose_nothing(tmp_path: Path) -> None:
    check_processes_that_append_at_once_lose_nothing(str(tmp_path))


@pytest.mark.parametrize("kill_after", [0, 3, 8])
def test_what_append_returned_for_survives_kill_9(tmp_path: Path, kill_after: int) -> None:
    def whole_or_not_at_all(after: dict[bytes, Row], found: set[bytes]) -> None:
        assert len(found) in {0, BATCH_ROWS}

    check_what_append_returned_for_survives_kill_9(str(tmp_path), kill_after, whole_or_not_at_all)
    check_file(tmp_path)


def test_a_kill_in_mid_batch_leaves_nothing_of_the_batch(tmp_path: Path) -> None:
    project, place = make_project_name(), str(tmp_path)
    writer = start_writer(place, project, 0, batches=9, crash_point="sink.mid_batch:4")
    output = writer.communicate(timeout=LIMIT_S)[0].split()
    assert writer.returncode == -signal.SIGKILL
    assert output == ["0", "1", "2"]
    assert stored(place, project) == promised(project, 0, output)
    again = start_writer(place, project, 0, batches=9)
    assert len(again.communicate(timeout=LIMIT_S)[0].split()) == 9
    assert stored(place, project) == promised(project, 0, [str(n) for n in range(9)])
    check_file(tmp_path)


def check_file(data_dir: Path) -> None:
    """Every place has its record, every record its place, and SQLite finds no fault."""
    file = apsw.Connection(os.fspath(data_dir / "warehouse" / "events.sqlite3"))
    assert file.pragma("integrity_check") == "ok"
    lost = "SELECT count(*) FROM placed WHERE record_id NOT IN (SELECT id FROM records)"
    loose = "SELECT count(*) FROM records WHERE id NOT IN (SELECT record_id FROM placed)"
    assert (file.execute(lost).get, file.execute(loose).get) == (0, 0)
    file.close()

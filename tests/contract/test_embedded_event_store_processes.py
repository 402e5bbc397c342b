"""Several processes on one embedded event store, and kill -9 in the midst of an append."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from feed.event import HOUR_MS
from tests.builders import NOON_MS, make_project_name
from tests.contract.event_store_writer import BATCH_ROWS, batch_of
from warehouse.adapters.embedded import open_event_store
from warehouse.ports import Row, ScanWindow

ROOT = Path(__file__).parents[2]
LIMIT_S = 60


def start_writer(
    data_dir: Path, project: str, writer: int, *, batches: int, crash_point: str = ""
) -> "subprocess.Popen[str]":
    arguments = [str(data_dir), project, str(writer), str(batches), crash_point]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contract.event_store_writer", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def stored(data_dir: Path, project: str) -> dict[bytes, Row]:
    store = open_event_store("embedded:", {}, data_dir)
    window = ScanWindow(project, NOON_MS, NOON_MS + 24 * HOUR_MS)
    rows = [row for page in store.scan(window) for row in page.rows]
    store.close()
    assert len({row.key for row in rows}) == len(rows), "a key was given twice"
    return {row.key: row for row in rows}


def promised(project: str, writer: int, numbers: list[str]) -> dict[bytes, Row]:
    return {row.key: row for number in numbers for row in batch_of(project, writer, int(number))}


def test_processes_that_start_and_append_at_once_lose_nothing(tmp_path: Path) -> None:
    project = make_project_name()
    writers = [start_writer(tmp_path, project, number, batches=20) for number in range(4)]
    outputs = [writer.communicate(timeout=LIMIT_S)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    expected: dict[bytes, Row] = {}
    for number, output in enumerate(outputs):
        expected |= promised(project, number, output)
    assert len(expected) == 4 * 20 * BATCH_ROWS
    assert stored(tmp_path, project) == expected


@pytest.mark.parametrize("kill_after", [0, 3, 8])
def test_what_append_returned_for_survives_kill_9(tmp_path: Path, kill_after: int) -> None:
    project = make_project_name()
    writers = [start_writer(tmp_path, project, number, batches=1_000) for number in range(2)]
    said: list[list[str]] = [[], []]
    for number, writer in enumerate(writers):
        assert writer.stdout is not None
        said[number] = [writer.stdout.readline().strip() for _ in range(kill_after + 1)]
        writer.send_signal(signal.SIGKILL)
    for number, writer in enumerate(writers):
        said[number] += writer.communicate(timeout=LIMIT_S)[0].split()
        assert writer.returncode == -signal.SIGKILL
    found = stored(tmp_path, project)
    for number, numbers in enumerate(said):
        assert promised(project, number, numbers).items() <= found.items()
        # The batch in hand is there whole or not at all.
        after = promised(project, number, [str(len(numbers))])
        assert len(after.keys() & found.keys()) in {0, BATCH_ROWS}
    check_file(tmp_path)


def test_a_kill_in_mid_batch_leaves_nothing_of_the_batch(tmp_path: Path) -> None:
    project = make_project_name()
    writer = start_writer(tmp_path, project, 0, batches=9, crash_point="sink.mid_batch:4")
    output = writer.communicate(timeout=LIMIT_S)[0].split()
    assert writer.returncode == -signal.SIGKILL
    assert output == ["0", "1", "2"]
    assert stored(tmp_path, project) == promised(project, 0, output)
    again = start_writer(tmp_path, project, 0, batches=9)
    assert len(again.communicate(timeout=LIMIT_S)[0].split()) == 9
    assert stored(tmp_path, project) == promised(project, 0, [str(n) for n in range(9)])
    check_file(tmp_path)


def check_file(data_dir: Path) -> None:
    """Every place has its record, every record its place, and SQLite finds no fault."""
    file = apsw.Connection(os.fspath(data_dir / "warehouse" / "events.sqlite3"))
    assert file.pragma("integrity_check") == "ok"
    lost = "SELECT count(*) FROM placed WHERE record_id NOT IN (SELECT id FROM records)"
    loose = "SELECT count(*) FROM records WHERE id NOT IN (SELECT record_id FROM placed)"
    assert (file.execute(lost).get, file.execute(loose).get) == (0, 0)
    file.close()

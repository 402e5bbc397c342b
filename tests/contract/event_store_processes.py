"""Several processes on one event store, and kill -9 of some: what is the same on every adapter."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from feed.event import HOUR_MS
from tests.builders import NOON_MS, make_project_name
from tests.contract.event_store_writer import BATCH_ROWS, batch_of, opened
from warehouse.ports import Row, ScanWindow

ROOT = Path(__file__).parents[2]
LIMIT_S = 60


def start_writer(
    place: str, project: str, writer: int, *, batches: int, crash_point: str = ""
) -> "subprocess.Popen[str]":
    """A writer of batches 0, 1, …; it says the number of each that was promised."""
    arguments = [place, project, str(writer), str(batches), crash_point]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contract.event_store_writer", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def stored(place: str, project: str) -> dict[bytes, Row]:
    """All rows of a project, by a store of this process's own."""
    store = opened(place)
    window = ScanWindow(project, NOON_MS, NOON_MS + 24 * HOUR_MS)
    rows = [row for page in store.scan(window) for row in page.rows]
    store.close()
    assert len({row.key for row in rows}) == len(rows), "a key was given twice"
    return {row.key: row for row in rows}


def promised(project: str, writer: int, numbers: list[str]) -> dict[bytes, Row]:
    """The rows of these batches."""
    return {row.key: row for number in numbers for row in batch_of(project, writer, int(number))}


def check_processes_that_append_at_once_lose_nothing(place: str) -> None:
    """Four that start together."""
    project = make_project_name()
    writers = [start_writer(place, project, number, batches=20) for number in range(4)]
    outputs = [writer.communicate(timeout=LIMIT_S)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    expected: dict[bytes, Row] = {}
    for number, output in enumerate(outputs):
        expected |= promised(project, number, output)
    assert len(expected) == 4 * 20 * BATCH_ROWS
    assert stored(place, project) == expected


def check_what_append_returned_for_survives_kill_9(
    place: str, kill_after: int, check_in_hand: Callable[[dict[bytes, Row], set[bytes]], object]
) -> None:
    """Two writers killed in the midst; `check_in_hand` judges what is found of the batch that each
    had in hand: (its rows, keys found)."""
    project = make_project_name()
    writers = [start_writer(place, project, number, batches=1_000) for number in range(2)]
    said: list[list[str]] = [[], []]
    for number, writer in enumerate(writers):
        assert writer.stdout is not None
        said[number] = [writer.stdout.readline().strip() for _ in range(kill_after + 1)]
        writer.send_signal(signal.SIGKILL)
    for number, writer in enumerate(writers):
        said[number] += writer.communicate(timeout=LIMIT_S)[0].split()
        assert writer.returncode == -signal.SIGKILL
    found = stored(place, project)
    for number, numbers in enumerate(said):
        assert promised(project, number, numbers).items() <= found.items()
        after = promised(project, number, [str(len(numbers))])
        check_in_hand(after, after.keys() & found.keys())
    again = start_writer(place, project, 0, batches=kill_after + 5)
    assert len(again.communicate(timeout=LIMIT_S)[0].split()) == kill_after + 5
    expected = promised(project, 0, [str(n) for n in range(kill_after + 5)])
    assert expected.items() <= stored(place, project).items()

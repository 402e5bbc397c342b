"""Several processes on one embedded series store, and kill -9 in the midst of a write."""

import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from feed.event import HOUR_MS
from tests.builders import NOON_MS, make_project_name
from tests.contract.series_store_writer import BATCH_DOCUMENTS, batch_of
from tests.series_builders import AMOUNT, COUNT, COUNTRY, hourly, make_query
from tests.series_oracle import assert_answers
from timeseries.adapters.embedded import EmbeddedSeriesStore
from timeseries.domain import Agg, CoreField, Field, Metric
from timeseries.ports import Document

ROOT = Path(__file__).parents[2]
LIMIT_S = 60
METRICS: tuple[tuple[tuple[Metric, ...], tuple[Field, ...]], ...] = (
    ((COUNT, Metric("s", Agg.SUM, AMOUNT), Metric("m", Agg.MAX, AMOUNT)), (CoreField.EVENT,)),
    ((COUNT,), (COUNTRY,)),
)


def start_writer(
    data_dir: Path, project: str, writer: int, *, batches: int, crash_point: str = ""
) -> "subprocess.Popen[str]":
    arguments = [str(data_dir), project, str(writer), str(batches), crash_point]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contract.series_store_writer", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def written(project: str, writer: int, batches: int) -> list[Document]:
    return [each for number in range(batches) for each in batch_of(project, writer, number)]


def assert_holds(data_dir: Path, project: str, documents: list[Document]) -> None:
    """The file is whole, and its rollups and its documents both give the oracle's figures."""
    folder = data_dir / "timeseries"
    connection = apsw.Connection(str(folder / "generation-1.sqlite"))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    for rollups in (True, False):
        store = EmbeddedSeriesStore(folder, rollups=rollups)
        for metrics, group_by in METRICS:
            query = make_query(
                *metrics,
                project=project,
                to_ms=NOON_MS + 48 * HOUR_MS,
                edges_ms=hourly(48),
                group_by=group_by,
            )
            answer = store.figures(query, generation=1, timeout_s=LIMIT_S)
            assert answer.source == ("rollup" if rollups else "documents")
            assert_answers(answer, query, documents)
        store.close()


def test_processes_that_start_and_write_at_once_lose_nothing(tmp_path: Path) -> None:
    project = make_project_name()
    writers = [start_writer(tmp_path, project, number, batches=12) for number in range(3)]
    for writer in writers:
        writer.communicate(timeout=LIMIT_S)

    assert [writer.returncode for writer in writers] == [0] * 3
    documents = [each for number in range(3) for each in written(project, number, 12)]
    assert_holds(tmp_path, project, documents)


@pytest.mark.parametrize("nth", [1, 4])
def test_a_batch_killed_half_way_is_not_there_and_can_be_written_again(
    tmp_path: Path, nth: int
) -> None:
    project = make_project_name()
    point = f"projector.mid_batch:{nth}"
    writer = start_writer(tmp_path, project, 0, batches=10, crash_point=point)
    said = writer.communicate(timeout=LIMIT_S)[0].split()

    assert writer.returncode == -signal.SIGKILL
    assert len(said) == nth - 1
    if said:
        assert_holds(tmp_path, project, written(project, 0, nth - 1))
    again = start_writer(tmp_path, project, 0, batches=10)
    again.communicate(timeout=LIMIT_S)
    assert again.returncode == 0
    assert_holds(tmp_path, project, written(project, 0, 10))


def test_what_write_returned_for_survives_kill_9(tmp_path: Path) -> None:
    project = make_project_name()
    writer = start_writer(tmp_path, project, 0, batches=10_000)
    assert writer.stdout is not None
    for _ in range(5):
        writer.stdout.readline()
    writer.kill()
    batches = 5 + len(writer.communicate(timeout=LIMIT_S)[0].split())

    store = EmbeddedSeriesStore(tmp_path / "timeseries")
    keys = [each.key for each in batch_of(project, 0, batches)]
    after = store.versions(project, keys, generation=1)
    store.close()
    # The batch in hand is there whole or not at all.
    is_whole = any(after.get(each.key) == each.version for each in batch_of(project, 0, batches))
    assert_holds(tmp_path, project, written(project, 0, batches + is_whole))
    assert len(batch_of(project, 0, 0)) == BATCH_DOCUMENTS

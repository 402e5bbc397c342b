"""manage.py: what an operator can put right is one sentence, and nothing has to be made before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError

from analyticsproject.command_line import sentence
from feed.errors import FeedUnavailable, WrongOption
from timeseries.errors import SeriesUnavailable
from warehouse.errors import StoreUnavailable

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 120


def manage(*arguments: str, data_dir: Path, **given: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("WEIR_")}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment | {"WEIR_DATA_DIR": str(data_dir)} | given,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_a_missing_data_folder_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"

    done = manage("migrate", "--verbosity=0", data_dir=folder)

    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "django.sqlite3").is_file()


def test_a_data_folder_that_cannot_be_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = manage("check", data_dir=tmp_path / "file" / "var")

    assert done.returncode == 1
    assert done.stderr.startswith(f"weir: WEIR_DATA_DIR is {tmp_path}/file/var, where no folder")
    assert done.stderr.count("\n") == 1


def test_a_database_without_tables_is_one_sentence(tmp_path: Path) -> None:
    done = manage("ensure_engines", data_dir=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("weir: the Django database does not answer (no such table")
    assert done.stderr.endswith("has manage.py migrate been run?\n")
    assert done.stderr.count("\n") == 1


def test_a_wrong_option_of_an_engine_is_one_sentence(tmp_path: Path) -> None:
    done = manage("pipeline_status", data_dir=tmp_path, WEIR_FEED_URL="embedded:?partitions=x")

    assert done.returncode == 1
    assert done.stderr.startswith("weir: WEIR_FEED_URL has partitions='x'")
    assert done.stderr.count("\n") == 1


def test_the_traceback_is_there_for_who_asks(tmp_path: Path) -> None:
    done = manage("ensure_engines", "--traceback", data_dir=tmp_path)

    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    "fault",
    [
        WrongOption("the engine's own words"),
        FeedUnavailable("the engine's own words"),
        StoreUnavailable("the engine's own words"),
        SeriesUnavailable("the engine's own words"),
        OperationalError("the engine's own words"),
        InterfaceError("the engine's own words"),
        ImproperlyConfigured("the engine's own words"),
        ImportError("the engine's own words: pip install -r requirements/kafka.txt"),
    ],
)
def test_what_an_operator_can_put_right_has_a_sentence(fault: Exception) -> None:
    assert "the engine's own words" in (sentence(fault) or "")


def test_a_sentence_is_one_line_whatever_the_database_says() -> None:
    said = sentence(OperationalError("connection failed\n\tIs the server running?\n"))

    assert said is not None
    assert "(connection failed Is the server running?)" in said


def test_a_bug_keeps_its_traceback() -> None:
    assert sentence(ValueError("ours")) is None
    assert sentence(ImportError("cannot import name")) is None

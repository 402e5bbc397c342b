"""The fixtures give engines that answer, and none is left behind."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from operations.engines import cql_probe, kafka_probe
from operations.engines.cassandra import Cassandra
from operations.engines.elasticsearch import Elasticsearch
from operations.engines.layout import Place
from tests.run_folder import make_run_folder


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def test_kafka_of_the_run_answers(kafka_url: str) -> None:
    assert kafka_probe.broker_count(*_address(kafka_url)) == 1


def test_cassandra_of_the_run_answers(cassandra_url: str) -> None:
    assert cql_probe.is_answered(*_address(cassandra_url), 1)
    assert not cql_probe.is_answered(*_address(cassandra_url), 2)


def test_elasticsearch_of_the_run_answers(elasticsearch_url: str, tmp_path: Path) -> None:
    host, port = _address(elasticsearch_url)

    assert Elasticsearch().answers(Place(1, tmp_path, host, {"clients": port}), 1)


def test_a_probe_of_another_server_or_of_none_finds_nobody(
    elasticsearch_url: str, tmp_path: Path
) -> None:
    """Neither a server of another kind nor a closed port is taken for an engine that answers."""
    place = Place(1, tmp_path, "127.0.0.1", {"clients": 1})

    assert kafka_probe.broker_count(*_address(elasticsearch_url)) == 0
    assert not cql_probe.is_answered(*_address(elasticsearch_url), 1)
    assert not Cassandra().answers(place, 1)
    assert not Elasticsearch().answers(place, 1)


SAMPLE = """
def test_that_needs_an_engine(elasticsearch_url: str) -> None:
    assert elasticsearch_url
"""


def _run_without_tools(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A run of one test on a machine without any JDK."""
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
        + ["--rootdir", str(tmp_path), "-p", "tests.servers.no_jdk", "-p", "tests.engine_fixtures"]
        + [str(tmp_path / "test_sample.py")],
        cwd=root,
        env={"PATH": "/nowhere", "HOME": str(tmp_path), "PYTHONPATH": str(root)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_without_a_jdk_tests_are_skipped_by_name(tmp_path: Path) -> None:
    done = _run_without_tools(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout[-800:]
    assert "1 tests did not run: Elasticsearch needs a JDK 21" in last
    assert "test_sample.py::test_that_needs_an_engine" in last


def test_without_a_jdk_ci_fails(tmp_path: Path) -> None:
    done = _run_without_tools(tmp_path, CI="true")

    assert done.returncode == 1
    assert "Elasticsearch needs a JDK 21" in done.stdout


def test_the_folders_of_runs_that_are_gone_go_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone, alive, foreign = f"mine-{ended.pid}-x", f"mine-{os.getppid()}-x", "mine-x"
    for name in (gone, alive, foreign):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()

    made = make_run_folder("mine-")

    assert {each.name for each in tmp_path.iterdir()} == {alive, foreign, made.name}

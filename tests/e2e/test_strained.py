"""Engines that refuse part of what they are given, or give up in the middle of it (F12, F15): the
oracle says that nothing was lost or doubled."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.under_load import under_load
from tests.engine_fixtures import fresh_name, tools_or_skip
from tests.engine_names import CASSANDRA, ELASTICSEARCH, SETTINGS, url_of

if TYPE_CHECKING:
    from operations.engines.cluster import Cluster
    from operations.engines.engine import Engine
    from tests.servers.running import RunningEngines

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
HANGS, HANG_S = 8, (0.6, 2.5)
"""Longer than the server waits for a write, shorter than the client waits for the server."""


@contextmanager
def server_of(request: pytest.FixtureRequest, engine: "Engine") -> "Iterator[Cluster]":
    """A server of the test's own."""
    running: RunningEngines = request.getfixturevalue("real_engines")
    with tools_or_skip():
        cluster = running.cluster(engine)
    try:
        yield cluster
    finally:
        running.end(cluster)


def test_documents_that_a_crowded_elasticsearch_refuses_come_again(
    request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int
) -> None:
    from tests.servers.strained import CrowdedElasticsearch

    with server_of(request, CrowdedElasticsearch()) as server:
        url = url_of(ELASTICSEARCH, server.url, fresh_name())
        settings = {SETTINGS[ELASTICSEARCH]: f"{url}&shards=8&spread=8&bulk_bytes=262144"}
        with under_load(tmp_path, fault_seed, settings) as run:
            for _ in range(5):
                run.wait_for_progress()
                run.wait_for_an_event("projected")
        assert refused_count(server) > 0, "nothing was refused: this run proves nothing"


def refused_count(server: "Cluster") -> int:
    """Writes that the node has refused for want of room."""
    answer = httpx.get(
        f"http://{urlsplit(server.url).netloc}/_nodes/stats/thread_pool", timeout=60
    ).json()
    return sum(int(node["thread_pool"]["write"]["rejected"]) for node in answer["nodes"].values())


def test_a_cassandra_that_gives_up_writes_gets_them_again(
    request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int
) -> None:
    from tests.servers.strained import ImpatientCassandra

    rng = random.Random(fault_seed)
    with server_of(request, ImpatientCassandra()) as server:
        settings = {SETTINGS[CASSANDRA]: url_of(CASSANDRA, server.url, fresh_name())}
        with under_load(tmp_path, fault_seed, settings) as run:
            for _ in range(HANGS):
                time.sleep(rng.uniform(0.1, 1))
                server.nodes[1].signal(signal.SIGSTOP)
                try:
                    time.sleep(rng.uniform(*HANG_S))
                finally:
                    server.nodes[1].signal(signal.SIGCONT)
                run.wait_for_progress()
            run.wait_for_an_event("stored")

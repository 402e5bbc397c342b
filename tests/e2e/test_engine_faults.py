"""Faults on the real engines, the whole pipeline on them: workers of a group come and go, servers
are killed, frozen and started again under load; the oracle says that nothing was lost or doubled.

Workers come and go with every `make test`; the servers' faults run with `make faults`, and so do
three nodes of one engine at a time. The seed is in the last lines.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from feed.topics import Group
from tests.e2e.under_load import Run, under_load
from tests.engine_fixtures import fresh_name, tools_or_skip
from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, SETTINGS, own_settings, url_of
from tests.look import wait_for_members

if TYPE_CHECKING:
    from operations.engines.cluster import Cluster
    from tests.servers.running import RunningEngines

pytestmark = pytest.mark.e2e
ENGINES = (KAFKA, CASSANDRA, ELASTICSEARCH)
Servers = Mapping[str, "Cluster"]


def test_workers_come_and_go_on_real_engines(
    request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int
) -> None:
    """One of each, then two, one of them killed, one stopped, all under load."""
    rng = random.Random(fault_seed)
    with (
        own_settings(request, ENGINES) as settings,
        under_load(tmp_path, fault_seed, settings) as run,
    ):
        stack = run.stack
        for kind in ("sink", "projector"):
            stack.start(f"{kind}-2", command=kind)
        wait_for_members(stack, {Group.SINK: 2, Group.PROJECTOR: 2})
        run.wait_for_progress()
        for kind in ("sink", "projector"):
            name = rng.choice([kind, f"{kind}-2"])
            stack.kill(name)
            run.wait_for_progress()
            stack.start(name, command=kind)
        wait_for_members(stack, {Group.SINK: 2, Group.PROJECTOR: 2})
        for kind in ("sink", "projector"):
            assert stack.stop(rng.choice([kind, f"{kind}-2"])) == 0
        run.wait_for_progress()


# -- servers --


def kill(servers: Servers, engine: str, rng: random.Random) -> None:
    """kill -9 (F5, F11, F14), and up again after a while."""
    servers[engine].kill(1)
    time.sleep(rng.uniform(0.5, 5))
    servers[engine].start(1)


def freeze(servers: Servers, engine: str, rng: random.Random) -> None:
    """A server that holds its connections and says nothing (F4, F12), then goes on."""
    servers[engine].nodes[1].signal(signal.SIGSTOP)
    try:
        time.sleep(rng.uniform(3, 15))
    finally:
        servers[engine].nodes[1].signal(signal.SIGCONT)


def power_off(servers: Servers, engine: str, rng: random.Random) -> None:
    """All servers in a random order, `engine` first, and up again in another (F27)."""
    order = [engine, *rng.sample([name for name in servers if name != engine], len(servers) - 1)]
    for name in order:
        servers[name].kill(1)
    rng.shuffle(order)
    for name in order:
        servers[name].start(1)


Fault = Callable[[Servers, str, random.Random], None]
FAULTS: Mapping[str, Fault] = {"kill": kill, "freeze": freeze, "power_off": power_off}
ROUNDS = {"kill": 3, "freeze": 3, "power_off": 1}
SERVER_FAULTS = [(fault, engine) for fault in FAULTS for engine in ENGINES]
DRAWN = [(fault, engine) for fault, engine in SERVER_FAULTS if fault != "power_off"]
AWAY_S = 300.0
MOST_RESIDENT_MB = 300.0


@contextmanager
def own_servers(request: pytest.FixtureRequest, engines: Sequence[str]) -> "Iterator[Servers]":
    """A server of each of these engines that no other test uses."""
    from tests.servers.running import KINDS

    running: RunningEngines = request.getfixturevalue("real_engines")
    own: dict[str, Cluster] = {}
    try:
        with tools_or_skip():
            for engine in engines:
                own[engine] = running.cluster(KINDS[engine]())
        yield own
    finally:
        for cluster in own.values():
            running.end(cluster)


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> "Iterator[Servers]":
    """A server of each engine, for the tests of this module alone."""
    with own_servers(request, ENGINES) as own:
        yield own


def on(servers: Servers) -> dict[str, str]:
    """Settings for a corner of these servers."""
    name = fresh_name()
    return {
        SETTINGS[engine]: url_of(engine, urlsplit(cluster.url).netloc, name)
        for engine, cluster in servers.items()
    }


def survive(run: Run, fault: Callable[[], None]) -> None:
    """The fault, and load that goes on after it."""
    fault()
    run.wait_for_progress()


def test_a_server_fault_drawn_by_the_seed_loses_and_doubles_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int
) -> None:
    """A server of its own for the fault; the other engines are the run's."""
    rng = random.Random(fault_seed)
    fault, engine = rng.choice(DRAWN)
    others = [name for name in ENGINES if name != engine]
    with (
        own_servers(request, [engine]) as own,
        own_settings(request, others) as settings,
        under_load(tmp_path, fault_seed, settings | on(own), is_crowded=engine == KAFKA) as run,
    ):
        survive(run, lambda: FAULTS[fault](own, engine, rng))
        run.wait_for_an_event("projected")


@pytest.mark.faults
@pytest.mark.parametrize(("fault", "engine"), SERVER_FAULTS)
def test_a_fault_of_a_server_loses_and_doubles_nothing(
    servers: Servers, tmp_path: Path, fault_seed: int, fault: str, engine: str
) -> None:
    rng = random.Random(fault_seed)
    with under_load(tmp_path, fault_seed, on(servers), is_crowded=engine == KAFKA) as run:
        for _ in range(ROUNDS[fault]):
            survive(run, lambda: FAULTS[fault](servers, engine, rng))


# -- away for long --


def feed_is_refused(run: Run) -> None:
    """Clients are told to come again."""
    answer = run.send()
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1


def sink_stays_a_member(run: Run) -> None:
    """It waits, and keeps its partitions; ingest does not notice."""
    wait_for_members(run.stack, {Group.SINK: 1})
    run.wait_for_progress()


def queries_are_refused(run: Run) -> None:
    """Never a figure that is not known; ingest does not notice."""
    answer = run.query()
    assert answer.status_code == 503, answer.text
    run.wait_for_progress()


WHILE_AWAY: Mapping[str, Callable[[Run], None]] = {
    KAFKA: feed_is_refused,
    CASSANDRA: sink_stays_a_member,
    ELASTICSEARCH: queries_are_refused,
}


@pytest.mark.faults
@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_away_for_minutes_is_waited_for(
    servers: Servers, tmp_path: Path, fault_seed: int, engine: str
) -> None:
    """F3, F10, F14: longer than any time limit of ours."""
    with under_load(tmp_path, fault_seed, on(servers), is_crowded=engine == KAFKA) as run:
        servers[engine].kill(1)
        try:
            time.sleep(AWAY_S)
            WHILE_AWAY[engine](run)
            for name, process in run.stack.processes.items():
                assert run.stack.is_running(name), run.stack.log(name)[-2000:]
                assert resident_mb(process.pid) < MOST_RESIDENT_MB
        finally:
            servers[engine].start(1)
        run.wait_for_progress()
        run.wait_for_an_event("projected")


def resident_mb(pid: int) -> float:
    """Memory of a process in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


# -- three nodes of one engine --


@pytest.mark.faults
@pytest.mark.parametrize("engine", ENGINES)
def test_a_node_of_three_killed_under_load_loses_and_doubles_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int, engine: str
) -> None:
    rng = random.Random(fault_seed)
    cluster: Cluster = request.getfixturevalue(f"{engine}_cluster")
    url = replicated(engine, cluster)
    settings = {SETTINGS[engine]: url}
    with under_load(tmp_path, fault_seed, settings, is_crowded=engine == KAFKA) as run:
        for number in rng.sample(sorted(cluster.nodes), 2):
            cluster.kill(number)
            run.wait_for_progress()
            cluster.start(number)
            run.wait_for_progress()


def replicated(engine: str, cluster: "Cluster") -> str:
    """A corner of the cluster whose data are on every node."""
    place, name = urlsplit(cluster.url).netloc, fresh_name()
    if engine == KAFKA:
        return f"kafka://{place}?prefix={name}&partitions=3&replication=3&min_insync=2"
    if engine == CASSANDRA:
        return f"cassandra://{place}/{name}?replication=3&consistency=QUORUM"
    return f"elasticsearch+http://{place}?index_prefix={name}&replicas=2"

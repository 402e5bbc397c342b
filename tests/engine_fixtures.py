"""Real engines for tests: one Kafka, one Cassandra, one Elasticsearch for the whole run.

They start by themselves when the first test asks for one, all that the run needs at once, and end
with the run. An address in the environment (TEST_KAFKA_URL, TEST_CASSANDRA_URL,
TEST_ELASTICSEARCH_URL) takes the place of an engine. Tests share the servers and keep apart by
names of their own: a prefix of topics and groups, a keyspace, a prefix of indices.

Where a JDK or Maven is missing the tests are skipped, and the run's last lines name them; in CI
they fail.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from operations.engines.errors import MissingTool

if TYPE_CHECKING:
    from operations.engines.cluster import Cluster
    from operations.engines.engine import Engine
    from tests.servers.running import RunningEngines

NAMES = ("kafka", "cassandra", "elasticsearch")
_VARIABLES = {name: f"TEST_{name.upper()}_URL" for name in NAMES}
_WANTED = pytest.StashKey[list[str]]()
_SKIPPED = pytest.StashKey[dict[str, list[str]]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Which engines the tests of this run ask for."""
    asked = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    wanted = [name for name in NAMES if f"{name}_url" in asked]
    session.config.stash[_WANTED] = [n for n in wanted if not os.environ.get(_VARIABLES[n])]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The tests that did not run, by name, and what they lack."""
    for reason, names in config.stash.get(_SKIPPED, {}).items():
        terminalreporter.write_line(f"{len(names)} tests did not run: {reason}")
        for name in names:
            terminalreporter.write_line(f"  {name}")


@pytest.fixture(scope="session")
def real_engines() -> "Iterator[RunningEngines]":
    """Whoever needs servers of its own asks this; use `tools_or_skip` around it."""
    from tests.servers.running import RunningEngines

    running = RunningEngines()
    try:
        yield running
    finally:
        running.end_all()


@pytest.fixture(scope="session")
def kafka_url(request: pytest.FixtureRequest) -> str:
    """`kafka://host:port`, without a query."""
    return _url(request, "kafka")


@pytest.fixture(scope="session")
def cassandra_url(request: pytest.FixtureRequest) -> str:
    """`cassandra://host:port`, without a keyspace."""
    return _url(request, "cassandra")


@pytest.fixture(scope="session")
def elasticsearch_url(request: pytest.FixtureRequest) -> str:
    """`elasticsearch+http://host:port`, without a query."""
    return _url(request, "elasticsearch")


@pytest.fixture(scope="module")
def kafka_cluster(request: pytest.FixtureRequest) -> "Iterator[Cluster]":
    """Three brokers of the module's own: `.url`, `.kill(number)`, `.stop(number)`, `.start(number)`
    with numbers from 1."""
    yield from _cluster(request, "kafka")


@pytest.fixture(scope="module")
def cassandra_cluster(request: pytest.FixtureRequest) -> "Iterator[Cluster]":
    """Three Cassandra nodes of the module's own, as `kafka_cluster`."""
    yield from _cluster(request, "cassandra")


@pytest.fixture(scope="module")
def elasticsearch_cluster(request: pytest.FixtureRequest) -> "Iterator[Cluster]":
    """Three Elasticsearch nodes of the module's own, as `kafka_cluster`."""
    yield from _cluster(request, "elasticsearch")


@pytest.fixture(scope="module")
def secured_kafka(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Cluster]":
    """A broker with ports that demand SASL: see tests/servers/secured.py. Its certificate is
    `cluster.engine.certificate`, its ports `cluster.layout.places[0].ports`."""
    from tests.servers.secured import SecuredKafka, make_certificate

    made = make_certificate(tmp_path_factory.mktemp("certificate"))
    yield from _own_cluster(request, SecuredKafka(certificate=made), 1)


@pytest.fixture(scope="module")
def pruning_kafka(request: pytest.FixtureRequest) -> "Iterator[Cluster]":
    """A broker that deletes at once what is past its topic's retention."""
    from tests.servers.strained import PruningKafka

    yield from _own_cluster(request, PruningKafka(), 1)


@pytest.fixture(scope="module")
def secured_cassandra(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Cluster]":
    """A node that demands a name and a password, and TLS on one port: see SecuredCassandra."""
    from tests.servers.secured import SecuredCassandra, make_certificate

    made = make_certificate(tmp_path_factory.mktemp("certificate"))
    yield from _own_cluster(request, SecuredCassandra(certificate=made), 1)


@pytest.fixture(scope="module")
def secured_elasticsearch(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Cluster]":
    """A node that demands TLS, and a name and a password: those of SecuredElasticsearch."""
    from tests.servers.secured import SecuredElasticsearch, make_certificate

    made = make_certificate(tmp_path_factory.mktemp("certificate"))
    yield from _own_cluster(request, SecuredElasticsearch(certificate=made), 1)


def fresh_name() -> str:
    """A name that no other test has: good as a prefix of topics and indices, and as a keyspace."""
    return f"t{uuid4().hex[:16]}"


@contextmanager
def tools_or_skip() -> Iterator[None]:
    """What needs a JDK that is missing is skipped; in CI it fails."""
    try:
        yield
    except MissingTool as exc:
        if os.environ.get("CI") == "true":
            pytest.fail(str(exc), pytrace=False)
        pytest.skip(str(exc))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note what was skipped for want of a tool."""
    yield
    excinfo = call.excinfo
    if excinfo is not None and excinfo.errisinstance(pytest.skip.Exception):
        context = excinfo.value.__context__
        if isinstance(context, MissingTool):
            skipped = item.config.stash.setdefault(_SKIPPED, {})
            skipped.setdefault(str(context), []).append(item.nodeid)


def _url(request: pytest.FixtureRequest, name: str) -> str:
    given = os.environ.get(_VARIABLES[name])
    if given:
        return given
    running: RunningEngines = request.getfixturevalue("real_engines")
    for other in request.config.stash.get(_WANTED, []):
        _begin_if_possible(partial(running.begin, [other]))
    with tools_or_skip():
        return running.url(name)


def _begin_if_possible(begin: Callable[[], None]) -> None:
    """An engine that cannot start here is the affair of the tests that ask for it."""
    try:
        begin()
    except MissingTool:
        return


def _cluster(request: pytest.FixtureRequest, name: str) -> "Iterator[Cluster]":
    from tests.servers.running import KINDS

    yield from _own_cluster(request, KINDS[name](), 3)


def _own_cluster(
    request: pytest.FixtureRequest, engine: "Engine", count: int
) -> "Iterator[Cluster]":
    running: RunningEngines = request.getfixturevalue("real_engines")
    with tools_or_skip():
        cluster = running.cluster(engine, count)
    try:
        yield cluster
    finally:
        running.end(cluster)

"""Settings that give one test its own corner of the real engines, taken away at its end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from tests.engine_fixtures import fresh_name

KAFKA, CASSANDRA, ELASTICSEARCH = "kafka", "cassandra", "elasticsearch"
SETTINGS: Mapping[str, str] = {
    KAFKA: "WEIR_FEED_URL",
    CASSANDRA: "WEIR_WAREHOUSE_URL",
    ELASTICSEARCH: "WEIR_TIMESERIES_URL",
}


@contextmanager
def own_settings(
    request: pytest.FixtureRequest, engines: Sequence[str], **through: str
) -> Iterator[dict[str, str]]:
    """The URLs of these engines; `through` gives another host:port for one of them. What was made
    below the test's names is deleted at the end."""
    with ExitStack() as stack:
        yield {
            SETTINGS[engine]: stack.enter_context(
                corner(engine, request.getfixturevalue(f"{engine}_url"), through.get(engine))
            )
            for engine in engines
        }


@contextmanager
def corner(engine: str, server: str, through: str | None = None) -> Iterator[str]:
    """The URL of a corner of a server that nobody else uses; what was made there is deleted at the
    end, directly, also where clients go `through` another address."""
    name = fresh_name()
    try:
        yield url_of(engine, through or server, name)
    finally:
        _DELETE[engine](server, name)


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a server's URL."""
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def url_of(engine: str, server: str, name: str) -> str:
    """The setting for a server's URL or `host:port`, and a name of the test's own."""
    place = urlsplit(server).netloc or server
    if engine == KAFKA:
        return f"kafka://{place}?prefix={name}&partitions=3&replication=1"
    if engine == CASSANDRA:
        return f"cassandra://{place}/{name}"
    return f"elasticsearch+http://{place}?index_prefix={name}"


def _delete_topics(server: str, name: str) -> None:
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": urlsplit(server).netloc})
    topics = [
        topic for topic in admin.list_topics(timeout=20).topics if topic.startswith(f"{name}.")
    ]
    for deleted in admin.delete_topics(topics).values() if topics else []:
        deleted.result(30)


def _drop_keyspace(server: str, name: str) -> None:
    from cassandra.cluster import Cluster

    host, port = address_of(server)
    with Cluster([host], port=port) as cluster, cluster.connect() as session:
        session.execute(f"DROP KEYSPACE IF EXISTS {name}", timeout=60)


def _delete_indices(server: str, name: str) -> None:
    base = f"http://{urlsplit(server).netloc}"
    with httpx.Client(base_url=base, timeout=60) as client:
        found = client.get(f"/_cat/indices/{name}*", params={"format": "json", "h": "index"})
        for row in found.json():
            client.delete(f"/{row['index']}").raise_for_status()
        for kind in ("_index_template", "_component_template"):
            client.delete(f"/{kind}/{name}*")


_DELETE: Mapping[str, Callable[[str, str], None]] = {
    KAFKA: _delete_topics,
    CASSANDRA: _drop_keyspace,
    ELASTICSEARCH: _delete_indices,
}

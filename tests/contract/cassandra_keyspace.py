"""A keyspace of a test module's own on the real Cassandra, dropped at the end."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.engine_fixtures import fresh_name
from warehouse.adapters.cassandra import CassandraEventStore
from warehouse.adapters.cassandra.options import parse_options
from warehouse.shards import LoadPlan, ShardPlan

FOREVER_MS = 2**48


def one_shard(project: str) -> ShardPlan:
    """The plan of a project for which nobody ever made a step; it never ages."""
    return ShardPlan(read_at_ms=FOREVER_MS)


@dataclass(frozen=True)
class Keyspace:
    """Where it is. `server` is `cassandra://host:port`."""

    server: str
    name: str = field(default_factory=fresh_name)

    def url(self, **options: str) -> str:
        """As WEIR_WAREHOUSE_URL has it."""
        query = f"?{urlencode(options)}" if options else ""
        return f"{self.server}/{self.name}{query}"

    def open(
        self, *, load_plan: LoadPlan = one_shard, options: Mapping[str, str] | None = None
    ) -> CassandraEventStore:
        """A store on it, which the caller closes."""
        return CassandraEventStore(parse_options(self.url(), options or {}), load_plan=load_plan)


def store_at(url: str) -> CassandraEventStore:
    """A store on a keyspace that is there, without a Django database."""
    return CassandraEventStore(parse_options(url, {}), load_plan=one_shard)


@contextmanager
def made_keyspace(server: str) -> Iterator[Keyspace]:
    """With the tables in it."""
    keyspace = Keyspace(server)
    store = keyspace.open()
    try:
        store.ensure()
        yield keyspace
        drop(store, keyspace.name)
    finally:
        store.close()


def drop(store: CassandraEventStore, name: str) -> None:
    """Away with it, if it is there."""
    store._session.connected().session.execute(f"DROP KEYSPACE IF EXISTS {name}", timeout=60)

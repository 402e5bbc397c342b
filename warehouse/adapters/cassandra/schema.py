"""Makes the keyspace and the tables, and refuses those that would lose events."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from warehouse.adapters.cassandra.options import StoreOptions
from warehouse.adapters.cassandra.session import CassandraSession
from warehouse.errors import UnsafeStore

SCHEMA_PATH = Path(__file__).parent / "schema_v1.cql"
_MADE = re.compile(r"CREATE (TYPE|TABLE) IF NOT EXISTS \w+\.(\w+)")
Column = tuple[str, str, str, int]
"""Name, type, kind, and place in the key; -1 outside of it."""
COLUMNS: Mapping[str, frozenset[Column]] = {
    "events": frozenset(
        {
            ("project", "text", "partition_key", 0),
            ("hour", "timestamp", "partition_key", 1),
            ("shard", "int", "partition_key", 2),
            ("key", "blob", "clustering", 0),
            ("stored", "frozen<stored_event>", "regular", -1),
        }
    ),
    "partitions": frozenset(
        {
            ("project", "text", "partition_key", 0),
            ("month", "int", "partition_key", 1),
            ("hour", "timestamp", "clustering", 0),
            ("shard", "int", "clustering", 1),
        }
    ),
    "months": frozenset(
        {("project", "text", "partition_key", 0), ("month", "int", "clustering", 0)}
    ),
}
"""What the .cql file makes, as Cassandra tells it."""
_TYPE_FIELDS = (["event", "record"], ["text", "blob"])


def ensure_schema(owner: CassandraSession) -> Sequence[str]:
    """One sentence for each thing made. Raises UnsafeStore, StoreUnavailable."""
    with owner.translating():
        return _Schema(owner).ensure()


class _Schema:
    """Looks at one keyspace. Every change goes to the same node, that of the lowest address, which
    takes them one after another: several processes may ensure at once."""

    def __init__(self, owner: CassandraSession) -> None:
        self._options: StoreOptions = owner.options
        self._limit_s = max(30.0, owner.late_s())
        connected = owner.connected()
        self._cluster, self._session = connected.cluster, connected.session

    def ensure(self) -> Sequence[str]:
        made = self._ensure_keyspace()
        self._check_tables()
        present = self._names()
        for statement in _statements(self._options.keyspace):
            kind, name = _kind_and_name(statement)
            if name not in present:
                self._change(statement)
                made.append(f"made {kind} {self._options.keyspace}.{name}")
        self._check_tables()
        return made

    def _ensure_keyspace(self) -> list[str]:
        keyspace, replication = self._options.keyspace, self._options.replication
        found = self._rows(
            "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s"
        )
        if found:
            self._check_replication(dict(found[0][0]))
            return []
        nodes = len(self._cluster.metadata.all_hosts())
        if nodes < replication:
            raise UnsafeStore(
                f"replication={replication} needs as many nodes and Cassandra has {nodes}: start "
                "more, or lower replication in WEIR_WAREHOUSE_URL"
            )
        self._change(
            f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = "
            f"{{'class': 'NetworkTopologyStrategy', 'replication_factor': {replication}}}"
        )
        return [f"made keyspace {keyspace} with replication {replication}"]

    def _check_replication(self, found: Mapping[str, str]) -> None:
        wanted, keyspace = self._options.replication, self._options.keyspace
        factors = {
            name: int(text.partition("/")[0])
            for name, text in found.items()
            if name != "class" and text.partition("/")[0].isdigit()
        }
        low = {name: factor for name, factor in factors.items() if factor < wanted}
        if not factors or low:
            held = ", ".join(f"{name} {factor}" for name, factor in low.items()) or "none"
            raise UnsafeStore(
                f"keyspace {keyspace} has less replication ({held}) than replication={wanted} asks "
                f"for: raise it with: {_alter(keyspace, factors, wanted)} and then nodetool repair "
                f"--full {keyspace}, or ask for less in WEIR_WAREHOUSE_URL"
            )

    def _check_tables(self) -> None:
        tables: dict[str, set[Column]] = {}
        for table, *column in self._rows(
            "SELECT table_name, column_name, type, kind, position FROM system_schema.columns "
            "WHERE keyspace_name = %s"
        ):
            name, kind, place, position = column
            tables.setdefault(table, set()).add((name, kind, place, position))
        for table, wanted in COLUMNS.items():
            if table in tables and tables[table] != wanted:
                self._refuse(table, sorted(name for name, *_ in wanted ^ tables[table]))
        for name, names, types in self._types():
            if name == "stored_event" and (list(names), list(types)) != _TYPE_FIELDS:
                self._refuse(name, sorted(names))

    def _refuse(self, name: str, differing: Sequence[str]) -> None:
        keyspace = self._options.keyspace
        raise UnsafeStore(
            f"{keyspace}.{name} is not as Weir makes it (it differs in {', '.join(differing)}): "
            f"name another keyspace in WEIR_WAREHOUSE_URL, or, if nobody needs it, drop it with: "
            f'cqlsh -e "DROP KEYSPACE {keyspace}", then run manage.py ensure_engines'
        )

    def _names(self) -> set[str]:
        tables = self._rows("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s")
        return {row[0] for row in tables} | {row[0] for row in self._types()}

    def _types(self) -> list[Any]:
        return self._rows(
            "SELECT type_name, field_names, field_types FROM system_schema.types "
            "WHERE keyspace_name = %s"
        )

    def _rows(self, cql: str) -> list[Any]:
        # Any: rows of the system tables. From the node that changes are made on: it knows first.
        return list(
            self._session.execute(
                cql, (self._options.keyspace,), timeout=self._limit_s, host=self._node()
            )
        )

    def _change(self, cql: str) -> None:
        """Waits until all nodes agree on the schema."""
        self._session.execute(cql, timeout=self._limit_s, host=self._node())

    def _node(self) -> Any:
        up = [host for host in self._cluster.metadata.all_hosts() if host.is_up]
        return min(up, key=lambda host: (host.address, host.endpoint.port), default=None)


def _statements(keyspace: str) -> Sequence[str]:
    """Those of the file, without comments."""
    lines = SCHEMA_PATH.read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--"))
    whole = text.replace("{keyspace}", keyspace).split(";")
    return [statement.strip() for statement in whole if statement.strip()]


def _kind_and_name(statement: str) -> tuple[str, str]:
    found = _MADE.match(statement)
    if found is None:
        raise ValueError(f"{SCHEMA_PATH} has a statement that makes nothing: {statement}")
    return found[1].lower(), found[2]


def _alter(keyspace: str, factors: Mapping[str, int], wanted: int) -> str:
    raised = {name: max(wanted, factor) for name, factor in factors.items()}
    pairs = ", ".join(
        f"'{name}': {factor}" for name, factor in (raised or {"replication_factor": wanted}).items()
    )
    strategy = "SimpleStrategy" if "replication_factor" in raised else "NetworkTopologyStrategy"
    return f"ALTER KEYSPACE {keyspace} WITH replication = {{'class': '{strategy}', {pairs}}}"

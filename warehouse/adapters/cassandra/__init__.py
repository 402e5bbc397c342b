"""The event store on Cassandra 4.1 or newer, for many processes on many machines."""

try:
    import cassandra.cluster  # noqa: F401  # the driver: its absence is said here, in one sentence
except ImportError as exc:
    raise ImportError(
        "WEIR_WAREHOUSE_URL asks for Cassandra, whose driver cannot be imported "
        f"({exc}): pip install -r requirements/cassandra.txt"
    ) from exc

from warehouse.adapters.cassandra.store import CassandraEventStore, open_event_store

__all__ = ["CassandraEventStore", "open_event_store"]

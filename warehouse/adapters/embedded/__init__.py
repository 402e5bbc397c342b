"""The event store on one SQLite file, `data_dir/warehouse/events.sqlite3`, for several processes
at once."""

from warehouse.adapters.embedded.store import EmbeddedEventStore, open_event_store

__all__ = ["EmbeddedEventStore", "open_event_store"]

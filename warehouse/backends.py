"""From the settings to this process's event store."""

from feed.backends import Backend
from warehouse.ports import EventStore

EVENT_STORE: Backend[EventStore] = Backend("EVENT_STORE")


def get_event_store() -> EventStore:
    """This process's handle on the warehouse."""
    return EVENT_STORE.get()

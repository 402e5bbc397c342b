"""From the settings to this process's series store."""

from feed.backends import Backend
from timeseries.ports import SeriesStore

SERIES_STORE: Backend[SeriesStore] = Backend("SERIES_STORE")


def get_series_store() -> SeriesStore:
    """This process's handle on the view."""
    return SERIES_STORE.get()

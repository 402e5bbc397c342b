"""The SeriesStore port on local SQLite files, for one machine: several processes at once, safe
against kill -9.

Below `data_dir/timeseries/`: one file a generation, with documents and rollups that change in one
transaction.
"""

from timeseries.adapters.embedded.store import EmbeddedSeriesStore, open_series_store

__all__ = ["EmbeddedSeriesStore", "open_series_store"]

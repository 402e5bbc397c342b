"""The SeriesStore port on Elasticsearch: one document an event, in the index of its month.

Imported by settings alone; the driver comes with requirements/elasticsearch.txt.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore

DRIVERS = frozenset({"elasticsearch", "elastic_transport", "django_elasticsearch_dsl"})


def open_series_store(
    url: str, options: Mapping[str, str], data_dir: Path
) -> "ElasticsearchSeriesStore":
    """The store at this address. Connects to nothing.

    Raises WrongOption, and ImportError with the command that installs a missing driver.
    """
    try:
        from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in DRIVERS:
            raise
        raise ImportError(
            f"WEIR_TIMESERIES_URL asks for Elasticsearch, and Python package {exc.name} is not"
            " installed: run `pip install -r requirements/elasticsearch.txt`"
        ) from exc
    from timeseries.adapters.elasticsearch.options import parse_options

    return ElasticsearchSeriesStore(parse_options(url, options))

"""Views in Elasticsearch for tests: each below a prefix of its own, deleted at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.engine_fixtures import fresh_name
from timeseries.adapters.elasticsearch import open_series_store
from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore


def server_of(url: str) -> str:
    """The HTTP address behind a view's URL."""
    parts = urlsplit(url)
    return f"{parts.scheme.partition('+')[2]}://{parts.netloc}"


def open_view(url: str, data_dir: Path) -> ElasticsearchSeriesStore:
    """A store of this URL, query parameters included."""
    return open_series_store(url, dict(parse_qsl(urlsplit(url).query)), data_dir)


@contextmanager
def fresh_prefix(url: str) -> Iterator[str]:
    """A URL with an index prefix of its own; what lies below the prefix is deleted at the end."""
    prefix = fresh_name()
    try:
        yield f"{url}?index_prefix={prefix}"
    finally:
        delete_all(url, prefix)


def delete_all(url: str, prefix: str) -> None:
    """Every index and template of a prefix."""
    with httpx.Client(base_url=server_of(url), timeout=60) as server:
        found = server.get(
            f"/{prefix}-*/_settings", params={"filter_path": "*.settings.index.uuid"}
        )
        for index in found.raise_for_status().json():
            server.delete(f"/{index}").raise_for_status()
        server.delete(f"/_index_template/{prefix}-*")


@contextmanager
def opened_view(url: str, data_dir: Path) -> Iterator[ElasticsearchSeriesStore]:
    """A store below a prefix of its own; nothing is made in it yet."""
    with fresh_prefix(url) as own:
        store = open_view(own, data_dir)
        try:
            yield store
        finally:
            store.close()

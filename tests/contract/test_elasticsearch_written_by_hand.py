"""Documents that somebody wrote into the view by hand: counted by queries, so seen by reconcile."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from feed.event import HOUR_MS
from tests.builders import NOON_MS
from tests.elasticsearch_view import fresh_prefix, open_view, server_of
from tests.series_builders import make_document
from timeseries.adapters.elasticsearch.documents import document_id
from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore
from timeseries.errors import SeriesError
from timeseries.ports import DocumentHour

RANGE = ("demo", NOON_MS, NOON_MS + HOUR_MS)


@pytest.fixture
def view_url(elasticsearch_url: str) -> Iterator[str]:
    """A prefix of the test's own."""
    with fresh_prefix(elasticsearch_url) as url:
        yield url


@pytest.fixture
def store(view_url: str, tmp_path: Path) -> Iterator[ElasticsearchSeriesStore]:
    """One document of Weir's is in it."""
    store = open_view(view_url, tmp_path)
    store.ensure(1)
    assert store.write([[make_document(id="ours")]], generations=(1,)) == []
    yield store
    store.close()


def put(view_url: str, **fields: object) -> None:
    """Beside it, one with these fields alone."""
    prefix = view_url.partition("index_prefix=")[2]
    key = make_document(id="theirs").key
    name = document_id("demo", key)
    body = {"p": "demo", "t": NOON_MS} | fields
    with httpx.Client(base_url=server_of(view_url), timeout=60) as server:
        path = f"/{prefix}-events-g1-2026-11/_doc/{name}?refresh=true"
        server.put(path, json=body).raise_for_status()


def test_one_without_a_name_is_counted_and_named(
    store: ElasticsearchSeriesStore, view_url: str
) -> None:
    ours, theirs = (make_document(id=id) for id in ("ours", "theirs"))

    put(view_url, k=theirs.key.hex())

    first, second = store.hours(*RANGE, generation=1)
    entries = store.entries(*RANGE, generation=1, after=None, limit=9)
    assert first == DocumentHour(NOON_MS, "", 1, 0)
    assert (second.event, second.count) == (ours.event, 1)
    assert {(entry.key, entry.event) for entry in entries} == {
        (ours.key, ours.event),
        (theirs.key, ""),
    }


def test_one_without_a_key_is_told_and_where_it_lies(
    store: ElasticsearchSeriesStore, view_url: str
) -> None:
    put(view_url)

    assert sum(hour.count for hour in store.hours(*RANGE, generation=1)) == 2
    with pytest.raises(SeriesError, match=r"g1-2026-11 has no key .* delete it there"):
        store.entries(*RANGE, generation=1, after=None, limit=9)

"""Queries on Elasticsearch, 3 million documents of one project over 30 days, each beside the same
aggregation written by hand."""

import random
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks import servers
from benchmarks.corpus import START_MS
from benchmarks.figures import Figure, say
from benchmarks.query import BATCH, HOURS, some_documents
from feed.event import HOUR_MS
from tests.elasticsearch_view import fresh_prefix, open_view, server_of
from tests.engine_names import ELASTICSEARCH
from tests.series_builders import AMOUNT, COUNTRY, make_query
from timeseries.adapters.elasticsearch.store import ElasticsearchSeriesStore
from timeseries.domain import Agg, CoreField, Metric, SeriesQuery

DOCUMENTS = 3_000_000
DAY_MS = 24 * HOUR_MS
END_MS = START_MS + HOURS * HOUR_MS
ROUNDS = 9
TIMEOUT_S = 60.0
PROJECT = "bench"
Aggregation = Mapping[str, Any]  # Any: JSON of the engine's own shape


def _buckets(interval: str, within: Aggregation) -> Aggregation:
    histogram = {"field": "t", "fixed_interval": interval}
    return {"b": {"date_histogram": histogram, "aggs": within}}


def _groups(field: str, size: int) -> Aggregation:
    return {"g": {"terms": {"field": field, "size": size}, "aggs": _buckets("1h", {})}}


def _query(*metrics: Metric, width_ms: int = HOUR_MS, **members: Any) -> SeriesQuery:
    return make_query(
        *metrics,
        project=PROJECT,
        from_ms=START_MS,
        to_ms=END_MS,
        edges_ms=list(range(START_MS, END_MS + 1, width_ms)),
        **members,
    )


_USERS = Metric("u", Agg.UNIQUE, CoreField.USER_ID)
_UNIQUE = {"s": {"cardinality": {"field": "u"}}}
CASES: Mapping[str, tuple[SeriesQuery, Aggregation]] = {
    "hourly_count": (_query(), _buckets("1h", {})),
    "hourly_sum": (
        _query(Metric("s", Agg.SUM, AMOUNT)),
        _buckets("1h", {"s": {"sum": {"field": "n.1"}}}),
    ),
    "hourly_by_event": (_query(group_by=(CoreField.EVENT,), limit=30), _groups("e", 30)),
    "hourly_by_country": (_query(group_by=(COUNTRY,), limit=10), _groups("s.0", 10)),
    "daily_unique": (_query(_USERS, width_ms=DAY_MS), _buckets("1d", _UNIQUE)),
    "total_unique": (_query(_USERS, width_ms=END_MS - START_MS), _UNIQUE),
}


def run() -> None:
    """The median of a few rounds, in milliseconds, ours and by hand by turns."""
    with fresh_prefix(servers.server(ELASTICSEARCH)) as url:
        store = open_view(url, Path())
        _load(store)
        indices = f"/{store._names.prefix}-events-*"
        search = f"{indices}/_search"
        with httpx.Client(base_url=server_of(url), timeout=TIMEOUT_S) as client:
            _forget_answers(client, indices)
            for name, (query, aggregation) in CASES.items():
                ours, by_hand = _times(
                    partial(store.figures, query, generation=1, timeout_s=TIMEOUT_S),
                    partial(_by_hand, client, search, aggregation),
                )
                Figure(f"query_{name}_3m", ours, "ms", by_hand, "elasticsearch").print()
        store.close()


def _load(store: ElasticsearchSeriesStore) -> None:
    store.ensure(1)
    rng = random.Random(3)
    for first in range(0, DOCUMENTS, BATCH):
        parts = [some_documents(first, BATCH, DOCUMENTS, rng)]
        store.write(parts, generations=(1,))
        if first % (25 * BATCH) == 0:
            say(f"{first + BATCH:,} of {DOCUMENTS:,} documents")


def _forget_answers(client: httpx.Client, indices: str) -> None:
    """The server would answer a query that it was asked before out of its cache."""
    settings = {"index.requests.cache.enable": False}
    client.put(f"{indices}/_settings", json=settings).raise_for_status()


def _by_hand(client: httpx.Client, search: str, aggregation: Aggregation) -> None:
    in_range = {"range": {"t": {"gte": START_MS, "lt": END_MS}}}
    body = {
        "size": 0,
        "query": {"bool": {"filter": [{"term": {"p": PROJECT}}, in_range]}},
        "aggs": aggregation,
    }
    client.post(search, json=body).raise_for_status().json()


def _times(ours: Callable[[], object], by_hand: Callable[[], object]) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for ask, taken in zip((ours, by_hand), times, strict=True):
            started = time.monotonic()
            ask()
            taken.append((time.monotonic() - started) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])

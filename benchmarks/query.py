"""Hourly counts by event name over 10 million events, asked over HTTP; beside a bare grouped read
of as many rollup rows."""

import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.corpus import COUNTRIES, EVENT_NAMES, START_MS
from benchmarks.figures import Figure, resident_mb, say
from feed.event import HOUR_MS, event_key, key_hash
from feed.sqlite import open_file, writing
from tests.stack import Credentials, Stack
from timeseries.adapters.embedded import open_series_store
from timeseries.ports import Document

EVENTS = 10_000_000
HOURS = 30 * 24
BATCH = 20_000
ROUNDS = 40
MEMORY_LIMIT_MB = 300.0


def some_documents(first: int, count: int, total: int, rng: random.Random) -> Sequence[Document]:
    """Documents `first`, `first + 1`, … of `total` that are evenly spread over HOURS."""
    return [_document(index, total, rng) for index in range(first, first + count)]


def _document(index: int, total: int, rng: random.Random) -> Document:
    time_ms = START_MS + index * (HOURS * HOUR_MS) // total
    key = event_key("bench", f"q-{index}", time_ms)
    return Document(
        project="bench",
        key=key,
        version=time_ms * 1000,
        occurred_at_ms=time_ms,
        event=EVENT_NAMES[rng.randrange(len(EVENT_NAMES))],
        type="track",
        user_id=f"user-{rng.randrange(50_000)}",
        anonymous_id=None,
        session_id=None,
        strings={0: (COUNTRIES[index % len(COUNTRIES)],)},
        numbers={1: (float(index % 5000),)},
        booleans={},
        hash24=key_hash(key, time_ms * 1000),
    )


def _load(data_dir: Path) -> None:
    rng = random.Random(3)
    store = open_series_store("embedded:", {}, data_dir)
    started = time.monotonic()
    try:
        for first in range(0, EVENTS, BATCH):
            store.write([some_documents(first, BATCH, EVENTS, rng)], generations=[1])
            if first % (50 * BATCH) == 0:
                done = first + BATCH
                say(f"{done:,} of {EVENTS:,} documents, {time.monotonic() - started:.0f} s")
    finally:
        store.close()


def _ask(client: httpx.Client, url: str) -> float:
    """Milliseconds of one query."""
    query = {
        "range": {"from": START_MS, "to": START_MS + HOURS * HOUR_MS},
        "interval": "1h",
        "metrics": [{"name": "n", "agg": "count"}],
        "group_by": ["event"],
        "limit": len(EVENT_NAMES),
    }
    started = time.monotonic()
    answer = client.post(f"{url}/v1/query/series", json=query)
    elapsed_ms = (time.monotonic() - started) * 1000
    answer.raise_for_status()
    found = sum(series["total"][0] for series in answer.json()["series"])
    if found != EVENTS:
        raise RuntimeError(f"the query counts {found} of {EVENTS}")
    return elapsed_ms


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[18]


def _raw_p95(path: Path) -> float:
    """A bare table of (hour, event) counts, grouped, as often."""
    connection = open_file(path)
    connection.execute("CREATE TABLE raw (hour INTEGER, event INTEGER, n INTEGER)")
    rows = [(hour, event, 700) for hour in range(HOURS) for event in range(len(EVENT_NAMES))]
    with writing(connection):
        connection.executemany("INSERT INTO raw VALUES (?, ?, ?)", rows)
    times = []
    for _ in range(ROUNDS):
        started = time.monotonic()
        list(connection.execute("SELECT hour, event, sum(n) FROM raw GROUP BY hour, event"))
        times.append((time.monotonic() - started) * 1000)
    connection.close()
    return _p95(times)


def _query_times(url: str, credentials: Credentials) -> list[float]:
    with httpx.Client(timeout=60, headers=credentials.headers) as client:
        _ask(client, url)
        return [_ask(client, url) for _ in range(ROUNDS)]


def run() -> None:
    """The 95th percentile of 40 queries, in milliseconds."""
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-", dir=os.environ.get("TMPDIR")) as folder,
        Stack(Path(folder) / "weir", settings={"WEIR_SERVE": "query"}) as stack,
    ):
        credentials = stack.create_project("bench")
        _load(stack.data_dir)
        stack.start("web")
        times = _query_times(stack.url, credentials)
        raw = _raw_p95(Path(folder) / "raw.db")
        Figure("query_hourly_by_event_10m_p95", _p95(times), "ms", raw).print()
        web = stack.processes["web"].pid
        Figure("query_memory", resident_mb(web), "MB", MEMORY_LIMIT_MB).print()

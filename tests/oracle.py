"""The oracle of every fault test: a generator journals each event with its answer; afterwards
*sets of ids*
are compared across feed, warehouse and view, never counters.

Laws (numbered as in docs/testing.md): I1 every acknowledged id is in the feed; I2 the warehouse
holds every
acknowledged id and none that was not sent, each once; I3 the view holds what the warehouse holds;
I4 figures
from rollups equal figures from documents and the journal; I5 a rejected id is nowhere.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from feed.codec import decode
from feed.errors import UndecodableRecord, UnknownSchema
from feed.event import HOUR_MS, event_key
from feed.ports import Feed, Record
from feed.topics import Topic
from tests.stack import Credentials
from timeseries.domain import EVERYTHING
from timeseries.ports import SeriesStore
from warehouse.ports import EventStore, ScanWindow

FIRST_MS = 1_767_225_600_000  # 2026-01-01: generated events lie in the 48 hours from here
SPAN_MS = 48 * HOUR_MS
EVENT_NAMES = ("visit", "cart", "order")


@dataclass
class Journal:
    """What was sent and answered, on disk before anything is concluded from it."""

    path: Path
    sent: dict[bytes, str] = field(default_factory=dict)
    answers: dict[bytes, str] = field(default_factory=dict)
    rejected_ids: set[str] = field(default_factory=set)
    latest: str = "no answer yet"
    """What the last request came to: for the message of a run that gets nowhere."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note_sent(self, project: str, rows: list[dict[str, Any]]) -> None:
        """Before the request: these may be in the pipeline from now on."""
        with self._lock:
            for row in rows:
                if "event" in row:
                    self.sent[event_key(project, row["id"], row["timestamp"])] = row["event"]
            self._write({"sent": [row["id"] for row in rows]})

    def note_answer(self, results: list[dict[str, Any]]) -> None:
        """After the answer: acknowledged rows must be everywhere once, rejected ones nowhere."""
        with self._lock:
            for row in results:
                if row["result"] in ("ok", "warning"):
                    self.answers[bytes.fromhex(row["key"].replace("-", ""))] = row["result"]
                elif row["result"] == "rejected":
                    self.rejected_ids.add(row["id"])
            self._write({"results": results})

    def _write(self, entry: Mapping[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def acknowledged(self) -> set[bytes]:
        """Keys answered `ok` or `warning`."""
        return set(self.answers)


def make_rows(rng: random.Random, worker: int, batch: int, size: int) -> list[dict[str, Any]]:
    """A batch of events with ids and times of their own; one in fifty lacks its event name."""
    rows: list[dict[str, Any]] = []
    for index in range(size):
        row = {
            "id": f"w{worker}-b{batch}-{index}",
            "event": rng.choice(EVENT_NAMES),
            "timestamp": FIRST_MS + rng.randrange(SPAN_MS),
            "user_id": f"u{rng.randrange(500)}",
            "properties": {
                "amount": rng.randrange(1000),
                "country": rng.choice(["DE", "FR", "JP"]),
            },
        }
        if rng.randrange(50) == 0:
            del row["event"]
        rows.append(row)
    return rows


@dataclass
class Generator:
    """Sends batches from a few threads until told to stop; a batch without an answer is sent
    again, same ids.

    One batch in ten is sent twice although it was answered: that must change nothing.
    """

    url: str
    credentials: Credentials
    journal: Journal
    seed: int
    workers: int = 3
    batch_size: int = 40
    pause_s: float = 0.02
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> "Generator":
        for worker in range(self.workers):
            thread = threading.Thread(target=self._run, args=(worker,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
        if self.failures:
            raise self.failures[0]

    def _run(self, worker: int) -> None:
        rng = random.Random(f"{self.seed}-{worker}")
        batch = 0
        try:
            with httpx.Client(timeout=30, headers=self.credentials.headers) as client:
                while not self._stop.is_set():
                    rows = make_rows(rng, worker, batch, self.batch_size)
                    self.journal.note_sent(self.credentials.project, rows)
                    for _ in range(2 if rng.randrange(10) == 0 else 1):
                        self._send_until_answered(client, rows)
                    batch += 1
                    self._stop.wait(self.pause_s)
        except BaseException as failure:
            self.failures.append(failure)

    def _send_until_answered(self, client: httpx.Client, rows: list[dict[str, Any]]) -> None:
        """Resend the same ids until every row is answered for good, or the run ends."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                response = client.post(f"{self.url}/v1/events", json=rows)
            except httpx.TransportError as failure:
                self.journal.latest = repr(failure)
                if self._stop.wait(0.1):
                    return
                continue
            self.journal.latest = f"{response.status_code}: {response.text[:500]}"
            if response.status_code not in (200, 400, 503):
                raise AssertionError(f"unexpected answer {response.status_code}: {response.text}")
            self.journal.note_answer(response.json().get("results", []))
            if response.status_code != 503:
                return
            self._stop.wait(0.2)


@dataclass(frozen=True)
class Verdict:
    """What each part of the pipeline holds of one project, as multisets of keys."""

    feed: Counter[bytes]
    feed_ids: set[str]
    warehouse: Counter[bytes]
    view: Counter[bytes]

    def check(self, journal: Journal) -> None:
        """Every law, over sets of ids. Raises AssertionError naming the law and some ids."""
        acknowledged, sent = journal.acknowledged, set(journal.sent)
        assert acknowledged, "the generator got nothing through: this run proves nothing"
        _same("I1: acknowledged, not in the feed", acknowledged - set(self.feed))
        _same("I2: acknowledged, not in the warehouse", acknowledged - set(self.warehouse))
        _same("I2: in the warehouse, never sent", set(self.warehouse) - sent)
        _same("I2: twice in the warehouse", {key for key, n in self.warehouse.items() if n > 1})
        _same("I3: in the warehouse, not in the view", set(self.warehouse) - set(self.view))
        _same("I3: in the view, not in the warehouse", set(self.view) - set(self.warehouse))
        _same("I3: twice in the view", {key for key, n in self.view.items() if n > 1})
        _same("I5: rejected, yet in the feed", journal.rejected_ids & self.feed_ids)


def _same(law: str, wrong: set[Any]) -> None:
    assert not wrong, f"{law}: {len(wrong)}, such as {sorted(wrong)[:3]}"


def read_feed(feed: Feed, project: str) -> tuple[Counter[bytes], set[str]]:
    """Keys (with how often each lies there) and ids of a project's events in topic `events`."""
    keys: Counter[bytes] = Counter()
    ids: set[str] = set()
    for record in read_topic(feed, Topic.EVENTS):
        try:
            event = decode(record.value)
        except (UndecodableRecord, UnknownSchema):
            continue  # put there by hand: nobody's event
        if event.project == project:
            keys[event.key] += 1
            ids.add(event.id)
    return keys, ids


def read_topic(feed: Feed, topic: Topic) -> Iterator[Record]:
    """Every record that is in the topic now."""
    left = sum(bounds.end - bounds.start for bounds in feed.bounds(topic).values())
    reader = feed.reader(topic, from_end=False)
    try:
        while left > 0:
            records = reader.poll(5000, timeout_s=10)
            assert records, f"{left} records of the feed did not come within 10 s"
            left -= len(records)
            yield from records
    finally:
        reader.close()


def warehouse_keys(store: EventStore, project: str) -> Counter[bytes]:
    """Keys of every row of a project, by scanning."""
    window = ScanWindow(project, FIRST_MS - SPAN_MS, FIRST_MS + 2 * SPAN_MS)
    return Counter(row.key for page in store.scan(window) for row in page.rows)


def view_keys(store: SeriesStore, project: str, generation: int) -> Counter[bytes]:
    """Keys of every document of a project, newest first, by paging."""
    return Counter(_paged_keys(store, project, generation))


def _paged_keys(store: SeriesStore, project: str, generation: int) -> Iterator[bytes]:
    before: bytes | None = None
    while True:
        page = store.keys(
            project,
            EVERYTHING,
            generation=generation,
            from_ms=FIRST_MS - SPAN_MS,
            to_ms=FIRST_MS + 2 * SPAN_MS,
            before=before,
            limit=1000,
        )
        yield from (key for key, _ in page.keys)
        if page.next_key is None:
            return
        before = page.next_key


def judge(
    feed: Feed, events: EventStore, series: SeriesStore, *, project: str, generation: int = 1
) -> Verdict:
    """Look at every part after it came to rest; hours of warehouse and view must agree as well
    (I4)."""
    keys, ids = read_feed(feed, project)
    start, end = FIRST_MS - SPAN_MS, FIRST_MS + 2 * SPAN_MS
    stored = {
        (hour.hour_ms, hour.event): (hour.count, hour.hash_sum)
        for hour in events.hours(ScanWindow(project, start, end))
    }
    shown = {
        (hour.hour_ms, hour.event): (hour.count, hour.hash_sum)
        for hour in series.hours(project, start, end, generation=generation)
    }
    assert stored == shown, "I4: warehouse and view differ by hour"
    return Verdict(
        keys, ids, warehouse_keys(events, project), view_keys(series, project, generation)
    )


def ask_by_hour(url: str, credentials: Credentials) -> httpx.Response:
    """The query service's answer about counts by event and hour."""
    query = {
        "range": {"from": FIRST_MS, "to": FIRST_MS + SPAN_MS},
        "interval": "1h",
        "metrics": [{"name": "n", "agg": "count"}],
        "group_by": ["event"],
    }
    return httpx.post(f"{url}/v1/query/series", json=query, headers=credentials.headers, timeout=60)


def figures_by_hour(url: str, credentials: Credentials) -> dict[tuple[str, int], int]:
    """Counts by event and hour as a client of the query service sees them (rollups where it
    likes)."""
    response = ask_by_hour(url, credentials)
    assert response.status_code == 200, response.text
    return {
        (series["group"]["event"], index): point["v"][0]
        for series in response.json()["series"]
        for index, point in enumerate(series["points"])
        if point["v"][0]
    }


def journal_by_hour(verdict: Verdict, journal: Journal) -> dict[tuple[str, int], int]:
    """The same figures from the journal: of what the warehouse holds, by the time in the key."""
    counts: Counter[tuple[str, int]] = Counter()
    for key in verdict.warehouse:
        hour = (int.from_bytes(key[:6], "big") - FIRST_MS) // HOUR_MS
        counts[(journal.sent[key], hour)] += 1
    return dict(counts)

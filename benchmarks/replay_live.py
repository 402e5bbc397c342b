"""A replay of a million events beside live traffic: what live events wait, and whether the replay
goes on throughout."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from benchmarks.draining import open_feed
from benchmarks.figures import Figure, say
from benchmarks.replay import ENGINES, stack_on, start_replay, store
from feed.ports import Feed
from replay.tending import live_lag_s
from tests.stack import Credentials, Stack, wait_until

EVENTS = 1_000_000
LIVE_EPS = 2_000
BATCH = 100
SENDERS = 4
SETTLE_S, SETTLED_S = 5.0, 0.5
"""Workers that have just started are behind."""
SAMPLE_S = 0.25
MOST_LAG_S = 3.0
MOST_STALL_S = 10.0
END_LIMIT_S = 1_200.0
ENDED = ("completed", "completed_with_errors", "cancelled", "failed")


def run() -> None:
    """Embedded and on real engines. Figures below their limits are good here."""
    for engines in ENGINES:
        with stack_on(engines) as stack:
            say(f"{EVENTS} events are stored and projected on {engines}")
            credentials = store(stack, EVENTS)
            for name in ("web", "sink", "projector", "replayer"):
                stack.start(name)
            seen, live_eps = _beside_live_traffic(stack, credentials)
        if seen.state != "completed":
            raise RuntimeError(f"the replay is {seen.state}")
        Figure("replay_beside_live", EVENTS / seen.seconds, "events/s", LIVE_EPS, engines).print()
        Figure("replay_live_traffic", live_eps, "events/s", LIVE_EPS, engines).print()
        Figure("replay_live_lag", seen.most_lag_s, "s", MOST_LAG_S, engines).print()
        Figure("replay_longest_stop", seen.longest_stop_s, "s", MOST_STALL_S, engines).print()


def _beside_live_traffic(stack: Stack, credentials: Credentials) -> tuple["_Seen", float]:
    """What was seen of the replay, and the live events acknowledged a second meanwhile."""
    feed = open_feed(stack.settings.get("WEIR_FEED_URL", "embedded:"), stack.data_dir)
    try:
        with _live_traffic(stack, credentials) as sent:
            wait_until("live events wait no more", lambda: _lag_s(feed) < SETTLED_S)
            seen = _watch(stack, credentials, feed)
            return seen, sent.rate()
    finally:
        feed.close()


@dataclass
class _Sent:
    """What the senders got acknowledged since `since_s`."""

    events: int = 0
    since_s: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, events: int) -> None:
        with self.lock:
            self.events += events

    def rate(self) -> float:
        return self.events / (time.monotonic() - self.since_s)


@dataclass
class _Seen:
    """What was seen of a replay. Once it has begun to emit, it stops while neither `emitted` nor
    `projected` moves."""

    state: str = ""
    seconds: float = 0.0
    most_lag_s: float = 0.0
    longest_stop_s: float = 0.0


@contextmanager
def _live_traffic(stack: Stack, credentials: Credentials) -> Iterator[_Sent]:
    """LIVE_EPS events a second, as long as the body runs."""
    stop, sent = threading.Event(), _Sent()
    threads = [
        threading.Thread(target=_send, args=(stack, credentials, stop, sent))
        for _ in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    try:
        stop.wait(SETTLE_S)
        yield sent
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _send(stack: Stack, credentials: Credentials, stop: threading.Event, sent: _Sent) -> None:
    interval_s = SENDERS * BATCH / LIVE_EPS
    due_s = time.monotonic()
    with httpx.Client(timeout=30, headers=credentials.headers) as client:
        while not stop.wait(max(0.0, due_s - time.monotonic())):
            due_s += interval_s
            answer = client.post(f"{stack.url}/v1/events", content=_batch())
            results = answer.raise_for_status().json()["results"]
            sent.add(sum(each["result"] == "ok" for each in results))


def _batch() -> bytes:
    now_ms = int(time.time() * 1000)
    events = [
        {"event": "live", "id": uuid4().hex, "timestamp": now_ms, "properties": {"ms": number}}
        for number in range(BATCH)
    ]
    return json.dumps(events).encode()


def _watch(stack: Stack, credentials: Credentials, feed: Feed) -> _Seen:
    start_replay(stack, auto=True)
    seen, moved_s, stood = _Seen(), time.monotonic(), (-1, -1)
    started_s = moved_s
    with httpx.Client(timeout=30, headers=credentials.headers) as client:
        while seen.state not in ENDED and time.monotonic() < started_s + END_LIMIT_S:
            time.sleep(SAMPLE_S)
            answer = client.get(f"{stack.url}/v1/replays?limit=1")
            (replay,) = answer.raise_for_status().json()["data"]
            seen.state, progress = replay["state"], replay["progress"]
            stands, now_s = (progress["emitted"], progress["projected"]), time.monotonic()
            if stands != stood or not progress["emitted"]:
                stood, moved_s = stands, now_s
            seen.longest_stop_s = max(seen.longest_stop_s, now_s - moved_s)
            seen.most_lag_s = max(seen.most_lag_s, _lag_s(feed))
    seen.seconds = time.monotonic() - started_s
    return seen


def _lag_s(feed: Feed) -> float:
    return live_lag_s(feed, now_ms=int(time.time() * 1000))

"""HTTP ingest, acknowledged as logged, sink and projector stopped; beside a bare ASGI application
on the same feed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.corpus import batches, shop_events
from benchmarks.figures import ROOT, Figure, resident_mb, say
from benchmarks.load import post, requests_per_second
from benchmarks.servers import server
from tests.engine_names import KAFKA, corner
from tests.stack import Stack, free_port, wait_until

SECONDS = 5.0
TURNS = 4
"""The best of a few turns is taken, Weir's and the raw loop's alike: neighbours on the machine only
ever slow a turn."""
MEMORY_LIMIT_MB = 300.0


@contextmanager
def _raw_server(data_dir: Path, events_a_request: int, feed_url: str) -> Iterator[int]:
    port = free_port()
    environment = os.environ | {
        "RAW_DATA_DIR": str(data_dir / f"raw-{events_a_request}"),
        "RAW_EVENTS_A_REQUEST": str(events_a_request),
        "RAW_FEED_URL": feed_url,
    }
    arguments = ["benchmarks.raw_ingest:application", "--port", str(port), "--no-access-log"]
    arguments += ["--loop", "uvloop", "--http", "httptools", "--lifespan", "off"]
    arguments += ["--log-level", "warning"]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *arguments], cwd=ROOT, env=environment
    )
    try:
        wait_until("the raw server answers", lambda: _answers(port))
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    except httpx.TransportError:
        return False


def run() -> None:
    """Batches of 100 over 8 connections, and single events over 32, 64 and 256."""
    _run("embedded:")


def run_on_kafka() -> None:
    """The same, acknowledged by a broker."""
    with corner(KAFKA, server(KAFKA)) as feed_url:
        _run(feed_url)


def _run(feed_url: str) -> None:
    events = shop_events(40_000, seed=1)
    engines = feed_url.split(":")[0]
    cases = [("ingest_batch100", 100, 8)]
    cases += [(f"ingest_single{connections}", 1, connections) for connections in (32, 64, 256)]
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as folder,
        Stack(Path(folder) / "weir", settings={"WEIR_FEED_URL": feed_url}) as stack,
    ):
        credentials = stack.create_project("bench")
        stack.start("web")
        for name, size, connections in cases:
            requests = [
                post("/v1/events", body, credentials.headers) for body in batches(events, size)
            ]
            say(f"{name}: the raw loop, then Weir, {SECONDS:g} s each, {TURNS} times")
            raw, ours = _compare(stack, requests, size, connections)
            Figure(name, ours * size, "events/s", raw * size, engines).print()
        web = stack.processes["web"].pid
        Figure("ingest_memory", resident_mb(web), "MB", MEMORY_LIMIT_MB, engines).print()


def _compare(
    stack: Stack, requests: list[bytes], size: int, connections: int
) -> tuple[float, float]:
    """Requests a second of the raw loop and of Weir, the best of a few turns each."""
    raw, ours = 0.0, 0.0
    feed_url = str(stack.settings["WEIR_FEED_URL"])
    with _raw_server(stack.data_dir.parent, size, feed_url) as raw_port:
        for _ in range(TURNS):
            raw = max(raw, _measure(raw_port, requests, connections))
            ours = max(ours, _measure(stack.port, requests, connections))
    return raw, ours


def _measure(port: int, requests: list[bytes], connections: int) -> float:
    return requests_per_second(port, requests, connections=connections, seconds=SECONDS)

"""HTTP ingest, acknowledged as logged, sink and projector stopped; beside bare ASGI applications
on the same feed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.corpus import batches, shop_events
from benchmarks.figures import ROOT, Figure, resident_mb, say
from benchmarks.load import post, requests_per_second
from benchmarks.servers import server, topic_name
from feed.topics import Topic
from tests.engine_names import KAFKA, corner
from tests.stack import Stack, free_port, wait_until

SECONDS = 5.0
TURNS = 4
"""The best of a few turns is taken, Weir's and the bare applications' alike: neighbours on the
machine only ever slow a turn."""
MEMORY_LIMIT_MB = 300.0


PREPARED = "benchmarks.raw_ingest:application"
BY_HAND = "benchmarks.raw_kafka:application"


@dataclass(frozen=True)
class Case:
    """Requests of so many events each, of so many projects by turns. The bare applications know one
    project only."""

    name: str
    events: int
    connections: int
    projects: int = 1


@contextmanager
def _bare_server(application: str, folder: Path, size: int, feed_url: str) -> Iterator[int]:
    """The port of a server of `application`, which is asked for requests of `size` events."""
    port = free_port()
    environment = os.environ | {
        "RAW_DATA_DIR": str(folder / f"raw-{size}"),
        "RAW_EVENTS_A_REQUEST": str(size),
        "RAW_FEED_URL": feed_url,
        "RAW_SERVERS": urlsplit(feed_url).netloc,
    }
    if application == BY_HAND:
        environment["RAW_TOPIC"] = topic_name(feed_url, Topic.EVENTS)
    arguments = [application, "--port", str(port), "--no-access-log"]
    arguments += ["--loop", "uvloop", "--http", "httptools", "--lifespan", "off"]
    arguments += ["--log-level", "warning"]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *arguments], cwd=ROOT, env=environment
    )
    try:
        wait_until("the bare server answers", lambda: _answers(port))
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
    """Batches of 100 over 8 connections, and single events over 32, 64 and 256, beside records
    prepared beforehand."""
    _run("embedded:", limit=PREPARED)


def run_on_kafka() -> None:
    """The same, acknowledged by a broker, beside an application written by hand; and that beside
    prepared records."""
    with corner(KAFKA, server(KAFKA)) as feed_url:
        _run(feed_url, limit=BY_HAND)


def _run(feed_url: str, *, limit: str) -> None:
    events = shop_events(40_000, seed=1)
    engines = feed_url.split(":")[0]
    cases = [Case("ingest_batch100", 100, 8)]
    cases += [Case(f"ingest_single{connections}", 1, connections) for connections in (32, 64, 256)]
    if limit == BY_HAND:
        cases += [replace(case, name=f"{case.name}_100_projects", projects=100) for case in cases]
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as folder,
        Stack(Path(folder) / "weir", settings={"WEIR_FEED_URL": feed_url}) as stack,
    ):
        most = max(case.projects for case in cases)
        tokens = stack.run_python("-m", "benchmarks.make_tokens", str(most)).split()
        stack.start("web")
        for case in cases:
            name, size = case.name, case.events
            headers = [{"Authorization": f"Bearer {token}"} for token in tokens[: case.projects]]
            requests = [
                post("/v1/events", body, each)
                for body, each in zip(batches(events, size), cycle(headers), strict=False)
            ]
            bare = dict.fromkeys((limit, PREPARED))
            say(f"{name}: {', '.join(bare)}, then Weir, {SECONDS:g} s each, {TURNS} times")
            *others, ours = _compare(stack, [*bare], requests, size, case.connections)
            rates = dict(zip(bare, others, strict=True))
            Figure(name, ours * size, "events/s", rates[limit] * size, engines).print()
            if limit != PREPARED:
                prepared = rates[PREPARED] * size
                Figure(
                    f"{name}_by_hand", rates[limit] * size, "events/s", prepared, engines
                ).print()
        web = stack.processes["web"].pid
        Figure("ingest_memory", resident_mb(web), "MB", MEMORY_LIMIT_MB, engines).print()


def _compare(
    stack: Stack, bare: Sequence[str], requests: list[bytes], size: int, connections: int
) -> list[float]:
    """Requests a second of the bare applications and of Weir, the best of a few turns each."""
    feed_url = str(stack.settings["WEIR_FEED_URL"])
    with ExitStack() as servers:
        ports = [
            servers.enter_context(_bare_server(each, stack.data_dir.parent, size, feed_url))
            for each in bare
        ]
        turns = [
            [_measure(port, requests, connections) for port in (*ports, stack.port)]
            for _ in range(TURNS)
        ]
    return [max(rates) for rates in zip(*turns, strict=True)]


def _measure(port: int, requests: list[bytes], connections: int) -> float:
    return requests_per_second(port, requests, connections=connections, seconds=SECONDS)

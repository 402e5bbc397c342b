"""Replays: out of the warehouse into topic history alone, and what comes of it in the view."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import servers
from benchmarks.draining import drain, fill_feed
from benchmarks.figures import Figure, say
from benchmarks.raw_replay import emitted_by_hand
from benchmarks.workers import MEMORY_LIMIT_MB, shop_records
from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, SETTINGS, corner
from tests.stack import Credentials, Stack

EVENTS = 200_000
CHUNK = 200_000
ROUNDS = 3
PROJECT = "bench-0"
FROM, TO = "2026-01-01", "2026-01-02"
"""The corpus lies within."""
EMIT_FLOOR = {"embedded": 25_000.0, "kafka, cassandra, elasticsearch": 40_000.0}
ENGINES: Mapping[str, Sequence[str]] = {
    "embedded": (),
    "kafka, cassandra, elasticsearch": (KAFKA, CASSANDRA, ELASTICSEARCH),
}


def run() -> None:
    """The best of a few rounds, embedded and on real engines. Each round replays all anew; the
    view is sound, so that the projector compares and rewrites nothing."""
    for engines in ENGINES:
        with stack_on(engines) as stack:
            say(f"{EVENTS} events are stored and projected on {engines}")
            store(stack, EVENTS)
            rounds = [_round(stack) for _ in range(ROUNDS)]
            by_hand = [_by_hand(stack) for _ in range(ROUNDS) if ENGINES[engines]]
        emitted, projected, memory_mb = (max(each) for each in zip(*rounds, strict=True))
        Figure("replay_emit", emitted, "events/s", EMIT_FLOOR[engines], engines).print()
        if by_hand:
            Figure("replay_emit_by_hand", emitted, "events/s", max(by_hand), engines).print()
        Figure("replay_project", projected, "events/s", emitted, engines).print()
        Figure("replayer_memory", memory_mb, "MB", MEMORY_LIMIT_MB, engines).print()


@contextmanager
def stack_on(engines: str) -> Iterator[Stack]:
    """A stack with a project, on the engines of this name."""
    with ExitStack() as corners, tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        settings = {
            SETTINGS[name]: corners.enter_context(corner(name, servers.server(name)))
            for name in ENGINES[engines]
        }
        with Stack(Path(folder) / "weir", settings) as stack:
            yield stack


def store(stack: Stack, count: int) -> Credentials:
    """So many events of PROJECT come in, into warehouse and view."""
    credentials = stack.create_project(PROJECT, "replay")
    for chunk in range(0, count, CHUNK):
        fill_feed(stack, list(shop_records(min(CHUNK, count - chunk), seed=chunk)))
        stack.drain()
    return credentials


def start_replay(stack: Stack, *, auto: bool) -> None:
    """Of all of them, as fast as it goes; `auto`: but for live events."""
    stack.manage(
        *("replay", "create", "--project", PROJECT, "--from", FROM, "--to", TO),
        *("--max-eps", "0", "--reason", "a benchmark", "--start"),
        *(() if auto else ("--no-auto",)),
    )


def _by_hand(stack: Stack) -> float:
    """Out of this warehouse, by the drivers alone."""
    return emitted_by_hand(stack.settings[SETTINGS[CASSANDRA]], PROJECT)


def _round(stack: Stack) -> tuple[float, float, float]:
    """Events a second emitted, then projected, and the replayer's peak MB. The time of an empty
    run (start-up) is taken off."""
    idle_s, _ = drain(stack, "run_replayer")
    start_replay(stack, auto=False)
    emit_s, memory_mb = drain(stack, "run_replayer")
    project_s, _ = drain(stack, "run_projector")
    idle_projector_s, _ = drain(stack, "run_projector")
    emitted = EVENTS / (emit_s - idle_s)
    return emitted, EVENTS / (project_s - idle_projector_s), memory_mb

"""Processes killed at named points and at random under load; the oracle says that nothing was lost
or doubled.

A rotating subset runs with every `make test`, all of it with `make faults`. The seed is in the
report's header;
`--fault-seed N` runs the same again.
"""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from feed.adapters.embedded import open_feed
from feed.topics import Group
from tests.oracle import Generator, Journal, figures_by_hour, journal_by_hour, judge
from tests.stack import Credentials, Stack, wait_until
from timeseries.adapters.embedded import open_series_store
from warehouse.adapters.embedded import open_event_store

CRASH_POINTS = {
    "web": (
        "publish.before_commit",
        "publish.after_commit",
        "ingest.after_publish",
        "ingest.before_answer",
    ),
    "sink": (
        "consume.before_handle",
        "sink.before_write",
        "sink.mid_batch",
        "sink.after_write",
        "consume.after_handle_before_commit",
        "consume.after_commit",
    ),
    "projector": (
        "consume.before_handle",
        "projector.before_write",
        "projector.mid_batch",
        "projector.after_write",
        "consume.after_handle_before_commit",
        "consume.after_commit",
    ),
}
ALL_CRASHES = [(process, point) for process, points in CRASH_POINTS.items() for point in points]
REACHED_ONCE = "groups.after_acquire"  # on joining, before anything is read
PROCESSES = tuple(CRASH_POINTS)


@dataclass
class Run:
    """A running stack under load, with its journal."""

    stack: Stack
    credentials: Credentials
    journal: Journal

    def crash_at(self, process: str, point: str, *, nth: int) -> None:
        """Restart `process` with the point armed, wait until it has killed itself there, start it
        clean."""
        self.stack.kill(process)
        self.stack.start(process, crash_point=f"{point}:{nth}")
        wait_until(f"{process} dies at {point}", lambda: not self.stack.is_running(process))
        self.stack.kill(process)
        self.stack.start(process)

    def wait_for_members(self, counts: Mapping[Group, int]) -> None:
        """Each group has as many living members: those started have joined, the killed are
        expelled."""
        feed = open_feed("embedded:", {}, self.stack.data_dir)
        try:
            wait_until(
                f"the groups have {counts} members",
                lambda: all(len(feed.members(group)) == n for group, n in counts.items()),
            )
        finally:
            feed.close()

    def wait_for_progress(self) -> None:
        """Load goes on: another 200 events are acknowledged."""
        goal = len(self.journal.acknowledged) + 200
        wait_until(
            "200 more events are acknowledged", lambda: len(self.journal.acknowledged) >= goal
        )


@contextmanager
def under_load(data_dir: Path, seed: int) -> Iterator[Run]:
    """A whole stack with a generator sending to it; at the end the oracle judges."""
    with Stack(data_dir) as stack:
        credentials = stack.create_project("faults")
        journal = Journal(data_dir / "journal.ndjson")
        stack.start_all()
        run = Run(stack, credentials, journal)
        with Generator(stack.url, credentials, journal, seed):
            run.wait_for_progress()
            yield run
            run.wait_for_progress()
        stack.drain()
        assert_nothing_lost_or_doubled(run)


def assert_nothing_lost_or_doubled(run: Run) -> None:
    """All laws of the oracle, and what a client of the query service sees."""
    data_dir = run.stack.data_dir
    feed = open_feed("embedded:", {}, data_dir)
    events = open_event_store("embedded:", {}, data_dir)
    series = open_series_store("embedded:", {}, data_dir)
    try:
        verdict = judge(feed, events, series, project=run.credentials.project)
        verdict.check(run.journal)
        shown = figures_by_hour(run.stack.url, run.credentials)
        assert shown == journal_by_hour(verdict, run.journal), "I4: figures differ from the journal"
    finally:
        for handle in (feed, events, series):
            handle.close()


def test_processes_killed_at_named_points_lose_and_double_nothing(
    tmp_path: Path, fault_seed: int
) -> None:
    rng = random.Random(fault_seed)
    with under_load(tmp_path, fault_seed) as run:
        for process, point in rng.sample(ALL_CRASHES, 5):
            run.crash_at(process, point, nth=rng.randint(1, 3))
            run.wait_for_progress()


def test_processes_killed_at_random_moments_lose_and_double_nothing(
    tmp_path: Path, fault_seed: int
) -> None:
    rng = random.Random(fault_seed + 1)
    with under_load(tmp_path, fault_seed) as run:
        for _ in range(5):
            time.sleep(rng.uniform(0.1, 1.5))
            process = rng.choice(PROCESSES)
            run.stack.kill(process)
            run.stack.start(process)


def test_workers_of_one_group_killed_in_turn_lose_and_double_nothing(
    tmp_path: Path, fault_seed: int
) -> None:
    rng = random.Random(fault_seed + 2)
    with under_load(tmp_path, fault_seed) as run:
        run.stack.start("sink-2", command="sink")
        run.stack.start("projector-2", command="projector")
        for name in rng.sample(["sink", "sink-2", "projector", "projector-2"], 3):
            time.sleep(rng.uniform(0.1, 1.5))
            run.stack.kill(name)
            run.stack.start(name, command=name.removesuffix("-2"))
        run.wait_for_members({Group.SINK: 2, Group.PROJECTOR: 2})
        assert run.stack.stop("sink-2") == 0
        assert run.stack.stop("projector-2") == 0


@pytest.mark.faults
@pytest.mark.parametrize("process", PROCESSES)
def test_killed_at_every_named_point(tmp_path: Path, fault_seed: int, process: str) -> None:
    rng = random.Random(fault_seed)
    crashes = [(point, nth) for point in CRASH_POINTS[process] for nth in (1, 2, 7)]
    if process != "web":
        crashes.append((REACHED_ONCE, 1))
    rng.shuffle(crashes)
    with under_load(tmp_path, fault_seed) as run:
        for point, nth in crashes:
            run.crash_at(process, point, nth=nth)
            run.wait_for_progress()


@pytest.mark.faults
@pytest.mark.parametrize("round_number", range(4))
def test_killed_at_random_for_long(tmp_path: Path, fault_seed: int, round_number: int) -> None:
    rng = random.Random(fault_seed + round_number)
    with under_load(tmp_path, fault_seed + round_number) as run:
        for _ in range(20):
            time.sleep(rng.uniform(0.05, 2.0))
            process = rng.choice(PROCESSES)
            run.stack.kill(process)
            run.stack.start(process)

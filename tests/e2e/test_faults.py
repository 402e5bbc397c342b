"""Processes killed at named points and at random under load; the oracle says that nothing was lost
or doubled.

A rotating subset runs with every `make test`, all of it with `make faults`. The seed is in the
report's last lines; `--fault-seed N` runs the same again.
"""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from feed.topics import Group
from tests.e2e.under_load import under_load
from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, own_settings
from tests.look import wait_for_members

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
REAL_ENGINES = (KAFKA, CASSANDRA, ELASTICSEARCH)
ON_REAL_ENGINES: Mapping[str, Sequence[str]] = {
    "web": ("publish.reported", "ingest.after_publish", "ingest.before_answer"),
    "sink": CRASH_POINTS["sink"],
    "projector": (*CRASH_POINTS["projector"], "projector.before_refresh"),
}


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
        wait_for_members(run.stack, {Group.SINK: 2, Group.PROJECTOR: 2})
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
@pytest.mark.parametrize("process", PROCESSES)
def test_killed_at_every_named_point_on_real_engines(
    request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int, process: str
) -> None:
    rng = random.Random(fault_seed)
    with (
        own_settings(request, REAL_ENGINES) as settings,
        under_load(tmp_path, fault_seed, settings) as run,
    ):
        points = list(ON_REAL_ENGINES[process])
        rng.shuffle(points)
        for point in points:
            run.crash_at(process, point, nth=rng.choice((1, 2, 7)))
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

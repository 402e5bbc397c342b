"""Memory over time: the whole pipeline under steady load and steady questions, each process under
its limit and flat; at the end the oracle judges.

`make soak` (MINUTES=10, SOAK=embedded or real) prints a JSON line a process.
"""

import json
import os
import re
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.under_load import Run, under_load
from tests.engine_names import SETTINGS, own_settings
from tests.oracle import ask_by_hour, figures_by_hour
from tests.stack import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.soak]
PAUSE_S = 0.4
"""Between two batches of each of the three senders: about 300 events a second in all."""
SAMPLE_EVERY_S = 3.0
LIMIT_MB = 300.0
GROWTH_MB = 10.0
"""Of own memory from the middle third of the run to the last: a leak of 200 bytes an event is more
in ten minutes, what allocators and caches still do is less."""


class Memory(NamedTuple):
    """MiB of a process and its children at a moment. Pages of files that are mapped into memory
    count as resident and not as its own: the kernel takes them back, and embedded files grow."""

    resident_mb: float
    own_mb: float


Samples = Mapping[str, Sequence[Memory]]
"""By the name of a process, in order of time."""


def test_memory_is_bounded_and_flat_under_steady_load(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fault_seed: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engines = sorted(SETTINGS) if request.config.option.soak_engines == "real" else []
    duration_s = 60.0 * request.config.option.soak_minutes
    with (
        own_settings(request, engines) as settings,
        under_load(tmp_path, fault_seed, settings, pause_s=PAUSE_S) as run,
    ):
        samples = watch(run, duration_s)
        with capsys.disabled():
            say(samples, event_count=len(run.journal.acknowledged))

    for name, moments in samples.items():
        assert max(moment.resident_mb for moment in moments) < LIMIT_MB, name
        _, middle_mb, last_mb = thirds([moment.own_mb for moment in moments])
        assert last_mb - middle_mb < GROWTH_MB, name


def watch(run: Run, duration_s: float) -> Samples:
    """Sample and ask for figures until the time is over."""
    samples: dict[str, list[Memory]] = {name: [] for name in run.stack.processes}
    wait_until("there are figures", lambda: has_figures(run))
    end_s = time.monotonic() + duration_s
    while time.monotonic() < end_s:
        assert figures_by_hour(run.stack.url, run.credentials)
        for name, moments in samples.items():
            assert run.stack.is_running(name), run.stack.log(name)[-2000:]
            moments.append(memory_of(run.stack.processes[name].pid))
        time.sleep(SAMPLE_EVERY_S)
    return samples


def has_figures(run: Run) -> bool:
    """A view that is just being made has no answer yet."""
    answer = ask_by_hour(run.stack.url, run.credentials)
    is_being_made = answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    return not is_being_made and bool(figures_by_hour(run.stack.url, run.credentials))


def memory_of(leader: int) -> Memory:
    """Of a process and of its children, which share its group."""
    resident_kb = own_kb = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == leader:
                status = (folder / "status").read_text()
                resident_kb += kilobytes("VmRSS", status)
                own_kb += kilobytes("RssAnon", status)
        except (ProcessLookupError, FileNotFoundError):
            continue  # it has ended meanwhile
    return Memory(resident_kb / 1024, own_kb / 1024)


def kilobytes(name: str, status: str) -> int:
    """A line of /proc/PID/status; 0 of a process that is about to be gone."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) if found else 0


def thirds(figures: Sequence[float]) -> list[float]:
    """The medians of the first, the middle and the last third."""
    size = len(figures) // 3
    assert size >= 3, "too few samples to tell a trend: let it run longer"
    parts = figures[:size], figures[size:-size], figures[-size:]
    return [statistics.median(part) for part in parts]


def say(samples: Samples, *, event_count: int) -> None:
    """A JSON line a process."""
    for name, moments in samples.items():
        resident_mb = [moment.resident_mb for moment in moments]
        figures = {
            "process": name,
            "own_thirds_mb": rounded(thirds([moment.own_mb for moment in moments])),
            "resident_thirds_mb": rounded(thirds(resident_mb)),
            "resident_most_mb": round(max(resident_mb), 1),
            "samples": len(moments),
            "events": event_count,
        }
        sys.stdout.write(f"\n{json.dumps(figures)}")
    sys.stdout.write("\n")


def rounded(figures: Sequence[float]) -> list[float]:
    return [round(figure, 1) for figure in figures]

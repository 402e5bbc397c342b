"""Memory over time: the whole pipeline under steady load and steady questions, each process under
its limit and flat; at the end the oracle judges.

`make soak` (MINUTES=10, SOAK=embedded or real) prints a JSON line a process.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.e2e.under_load import Run, under_load
from tests.engine_names import SETTINGS, own_settings
from tests.oracle import figures_by_hour
from tests.stack import Stack, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.soak]
PAUSE_S = 0.4
"""Between two batches of each of the three senders: about 300 events a second in all."""
SAMPLE_EVERY_S = 3.0
LIMIT_MB = 300.0
GROWTH_MB = 10.0
"""From the middle third of the run to the last: a leak of 200 bytes an event is more in ten
minutes, what allocators and caches still do is less."""
MIB = 1024 * 1024

Samples = Mapping[str, list[float]]
"""MiB resident by the name of a process, its children included; one a moment, in order."""


def test_memory_is_bounded_and_flat_under_steady_load(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fault_seed: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engines = SETTINGS if request.config.option.soak_engines == "real" else ()
    duration_s = 60.0 * request.config.option.soak_minutes
    own = own_settings(request, sorted(engines)) if engines else nullcontext({})
    with own as settings, under_load(tmp_path, fault_seed, settings, pause_s=PAUSE_S) as run:
        samples = watch(run, duration_s)
        with capsys.disabled():
            say(samples, event_count=len(run.journal.acknowledged))

    for name, resident_mb in samples.items():
        assert max(resident_mb) < LIMIT_MB, name
        assert growth_mb(resident_mb) < GROWTH_MB, name


def watch(run: Run, duration_s: float) -> Samples:
    """Sample and ask for figures until the time is over."""
    samples: dict[str, list[float]] = {name: [] for name in run.stack.processes}
    wait_until("there are figures", lambda: bool(figures_by_hour(run.stack.url, run.credentials)))
    end_s = time.monotonic() + duration_s
    while time.monotonic() < end_s:
        assert figures_by_hour(run.stack.url, run.credentials)
        for name, resident_mb in samples.items():
            assert run.stack.is_running(name), run.stack.log(name)[-2000:]
            resident_mb.append(resident_of(run.stack, name))
        time.sleep(SAMPLE_EVERY_S)
    return samples


def resident_of(stack: Stack, name: str) -> float:
    """MiB resident of a process and of its children, which share its group."""
    leader = stack.processes[name].pid
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == leader:
                pages += int((folder / "statm").read_text().split()[1])
        except (ProcessLookupError, FileNotFoundError):
            continue  # it has ended meanwhile
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def thirds(resident_mb: Sequence[float]) -> list[float]:
    """The medians of the first, the middle and the last third."""
    size = len(resident_mb) // 3
    assert size >= 3, "too few samples to tell a trend: let it run longer"
    first, middle, last = resident_mb[:size], resident_mb[size:-size], resident_mb[-size:]
    return [statistics.median(part) for part in (first, middle, last)]


def growth_mb(resident_mb: Sequence[float]) -> float:
    """From the middle third to the last."""
    _, middle, last = thirds(resident_mb)
    return last - middle


def say(samples: Samples, *, event_count: int) -> None:
    """A JSON line a process."""
    for name, resident_mb in samples.items():
        figures = {
            "process": name,
            "thirds_mb": [round(median, 1) for median in thirds(resident_mb)],
            "most_mb": round(max(resident_mb), 1),
            "samples": len(resident_mb),
            "events": event_count,
        }
        sys.stdout.write(f"\n{json.dumps(figures)}")
    sys.stdout.write("\n")

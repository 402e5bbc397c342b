"""Crash points: nothing while unarmed, SIGKILL at the pass they are armed for."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from feed import crash_points


@pytest.fixture(autouse=True)
def _disarmed_afterwards() -> Iterator[None]:
    yield
    crash_points.arm("")


def _run(spec: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys\n"
        "from feed import crash_points\n"
        "crash_points.arm(sys.argv[1])\n"
        "for n in range(1, 4):\n"
        "    crash_points.reach('other')\n"
        "    crash_points.reach('here')\n"
        "    print(n, flush=True)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, spec], capture_output=True, text=True, timeout=60, check=False
    )


def test_an_unarmed_point_does_nothing() -> None:
    crash_points.reach("here")


def test_another_point_does_nothing() -> None:
    crash_points.arm("elsewhere")

    crash_points.reach("here")


@pytest.mark.parametrize(("spec", "passes"), [("here", 0), ("here:1", 0), ("here:3", 2)])
def test_an_armed_point_kills_its_process_at_the_pass_it_names(spec: str, passes: int) -> None:
    run = _run(spec)

    assert run.returncode == -signal.SIGKILL
    assert len(run.stdout.splitlines()) == passes


def test_a_pass_that_never_comes_kills_nothing() -> None:
    assert _run("here:4").returncode == 0


@pytest.mark.parametrize("spec", ["here:0", "here:-1", "here:x"])
def test_a_pass_is_a_number_from_1(spec: str) -> None:
    with pytest.raises(ValueError, match=r"counts from 1|invalid literal"):
        crash_points.arm(spec)

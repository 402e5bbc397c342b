"""Installs, for `manage.py dev`, the drivers that the URLs ask for. Runs before Django starts: an
app or the database's backend may be among what is missing."""

import importlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analyticsproject.drivers import Driver, missing_drivers

LIMIT_S = 600.0
Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class NotInstalled(Exception):
    """An extra could not be installed; the message is one sentence."""


def install_missing(
    environment: Mapping[str, str],
    requirements: Path,
    say: Callable[[str], object],
    *,
    run: Run | None = None,
) -> None:
    """Install each missing driver into the running environment, from the lock files in
    `requirements`; does nothing where all are there. Raises NotInstalled."""
    missing = missing_drivers(environment)
    for driver in dict.fromkeys(missing.values()):
        names = " and ".join(name for name, each in missing.items() if each == driver)
        file = f"requirements/{driver.extra}.txt"
        say(f"installing the driver that {names} asks for ({file})")
        _install(driver, requirements / f"{driver.extra}.txt", names, run or _run)
        importlib.invalidate_caches()


def _install(driver: Driver, file: Path, names: str, run: Run) -> None:
    pip = [sys.executable, "-m", "pip"]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1"]
    command = [*pip, "install", *quiet, "--require-hashes", "-r", str(file)]
    try:
        done = run(command)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise _failed(driver, names, str(exc)) from exc
    if done.returncode:
        raise _failed(driver, names, _reason(done.stderr))


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own interpreter and lock files
        command, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def _reason(errors: str) -> str:
    """The last line in which pip says what went wrong."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    faults = [line for line in lines if line.startswith("ERROR:")] or lines
    return faults[-1].removeprefix("ERROR:").strip() if faults else "pip did not say why"


def _failed(driver: Driver, names: str, reason: str) -> NotInstalled:
    return NotInstalled(
        f"the driver that {names} asks for could not be installed ({reason.rstrip('.')}): where "
        f"there is a network, run pip install -r requirements/{driver.extra}.txt, then again dev"
    )

"""What every test shares. Its settings: environment.py."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.postgresql_server import postgresql

__all__ = ["postgresql"]
LONG = ("faults", "soak")
"""Marks of what runs long."""

# An example may take its time: how much says nothing about the code on a machine that others share.
settings.register_profile(
    "weir", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("weir")

if TYPE_CHECKING:
    from tests.key_builders import ProjectKeys
    from tests.local_pipeline import LocalPipeline


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-seed", type=int, default=None, help="run the same faults again")
    parser.addoption("--soak-minutes", type=float, default=10.0, help="how long the soak runs")
    parser.addoption("--soak-engines", choices=("embedded", "real"), default="embedded")


def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.hasplugin("tests.environment"):
        raise pytest.UsageError("tests would touch ./var: keep `-p tests.environment`")
    if config.option.fault_seed is None:
        config.option.fault_seed = random.SystemRandom().randrange(1_000_000)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """How to run the same faults again, also under `-q`, also when all is green."""
    terminalreporter.write_line(f"faults ran with --fault-seed {config.option.fault_seed}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs long is asked for by name (`-m faults`, `-m soak`); nothing else is left out.

    Browser tests come last: Playwright keeps an event loop running in the main thread from the
    first of them to the session's end, and Django refuses its database beside one.
    """
    items.sort(key=lambda item: "browser" in item.path.parts)
    asked = config.option.markexpr or ""
    left_out = [mark for mark in LONG if mark not in asked]
    long = [item for item in items if any(map(item.get_closest_marker, left_out))]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture
def fault_seed(request: pytest.FixtureRequest) -> int:
    """The run's seed, as the report's header shows it."""
    seed: int = request.config.option.fault_seed
    return seed


@pytest.fixture
def demo_keys(monkeypatch: pytest.MonkeyPatch) -> "ProjectKeys":
    """The project demo; its keys are the ones that this process's doors know during the test, from
    no database."""
    from tests.key_builders import ProjectKeys, tell_doors

    keys = ProjectKeys(origins=("https://shop.example",))
    tell_doors(monkeypatch, keys)
    return keys


@pytest.fixture
def pipeline(tmp_path: Path, db: None) -> Iterator["LocalPipeline"]:
    """The whole pipeline on embedded engines in the test's own folder."""
    from tests.local_pipeline import local_pipeline

    with local_pipeline(tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def _key_ring_stopped() -> Iterator[None]:
    """No test leaves the thread that follows the keys behind for the next one's database."""
    yield
    if "access.authentication" in sys.modules:
        sys.modules["access.authentication"].get_key_ring().stop()

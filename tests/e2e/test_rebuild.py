"""A view is rebuilt while events come in and queries are answered, and replayer, projectors and
sink are killed: afterwards every generation holds what the warehouse holds, id by id, and no query
saw less than one before it."""

from pathlib import Path

import pytest

from tests.e2e.rebuilds import rebuilding
from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, own_settings

REAL_ENGINES = (KAFKA, CASSANDRA, ELASTICSEARCH)
PAST = 6_000


def test_a_rebuild_under_load_with_processes_killed(tmp_path: Path, fault_seed: int) -> None:
    with rebuilding(tmp_path, fault_seed, past=PAST) as site:
        site.rebuild(kills=3)


@pytest.mark.e2e
def test_a_rebuild_under_load_on_real_engines(
    request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int
) -> None:
    with (
        own_settings(request, REAL_ENGINES) as settings,
        rebuilding(tmp_path, fault_seed, settings, past=PAST) as site,
    ):
        site.rebuild(kills=2)


@pytest.mark.faults
@pytest.mark.parametrize("point", ["pins.committed_before_pinned", "pins.after_pinned"])
def test_projectors_killed_as_they_pin_leave_no_hole(
    tmp_path: Path, fault_seed: int, point: str
) -> None:
    with rebuilding(tmp_path, fault_seed, past=PAST // 4) as site:
        site.rebuild_with_projectors_killed_at(point)


@pytest.mark.faults
@pytest.mark.parametrize("engines", [(), REAL_ENGINES], ids=["embedded", "real"])
def test_rebuilds_with_twenty_kills(
    request: pytest.FixtureRequest, tmp_path: Path, fault_seed: int, engines: tuple[str, ...]
) -> None:
    with (
        own_settings(request, engines) as settings,
        rebuilding(tmp_path, fault_seed, settings, past=PAST) as site,
    ):
        kept = [1]
        for _ in range(5):
            kept.append(site.rebuild(kills=4))
            if len(kept) > 2:
                site.drop(kept.pop(0))

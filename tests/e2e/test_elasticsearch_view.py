"""The pipeline with its view in Elasticsearch: projectors killed at named points lose and double
nothing, and what a client is told to be projected can be asked for."""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from feed.topics import Group
from tests.e2e.under_load import under_load
from tests.elasticsearch_view import fresh_prefix
from tests.look import wait_for_members
from tests.stack import Stack

AT_MS = 1_760_000_000_000
POINTS = (
    "consume.before_handle",
    "projector.before_write",
    "projector.mid_batch",
    "projector.before_refresh",
    "projector.after_write",
    "consume.after_handle_before_commit",
    "consume.after_commit",
)


@pytest.fixture
def engines(elasticsearch_url: str) -> Iterator[Mapping[str, str]]:
    """A view in Elasticsearch, all else embedded."""
    with fresh_prefix(elasticsearch_url) as url:
        yield {"WEIR_TIMESERIES_URL": url}


def test_projectors_killed_at_named_points_lose_and_double_nothing(
    engines: Mapping[str, str], tmp_path: Path, fault_seed: int
) -> None:
    rng = random.Random(fault_seed)
    with under_load(tmp_path, fault_seed, engines) as run:
        run.stack.start("projector-2", command="projector")
        wait_for_members(run.stack, {Group.PROJECTOR: 2})
        run.stack.kill("projector-2")
        for point in rng.sample(POINTS, 3):
            run.crash_at("projector", point, nth=rng.randint(1, 2))
            run.wait_for_progress()


def test_what_is_answered_as_projected_can_be_asked_for(
    engines: Mapping[str, str], tmp_path: Path
) -> None:
    with Stack(tmp_path, engines) as stack:
        credentials = stack.create_project("demo")
        stack.start_all()
        for number in range(1, 4):
            sent = httpx.post(
                f"{stack.url}/v1/events?ack=projected&wait=25",
                json={"event": "signup", "timestamp": AT_MS + number, "id": f"e{number}"},
                headers=credentials.headers,
                timeout=60,
            )
            assert sent.json()["ack"] == "projected", sent.text
            query = {
                "range": {"from": AT_MS, "to": AT_MS + 1000},
                "metrics": [{"name": "n", "agg": "count"}],
            }
            asked = httpx.post(
                f"{stack.url}/v1/query/series",
                json=query,
                headers=credentials.headers,
                timeout=60,
            )
            assert asked.json()["series"][0]["total"] == [number], asked.text
        assert stack.stop("projector") == 0

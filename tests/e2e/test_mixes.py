"""Any mix of engines is the same product: the same events give the same figures, and a project
moves between mixes with its keys."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, own_settings
from tests.stack import Credentials, Stack

pytestmark = pytest.mark.e2e
PROJECT = "shop"
ENGINES = (KAFKA, CASSANDRA, ELASTICSEARCH)
MIXES = [mix for size in range(len(ENGINES) + 1) for mix in combinations(ENGINES, size)]
"""Those that are real; the rest are embedded."""
COUNTRIES = ("DE", "FR", "PT")
EVENTS: Sequence[dict[str, Any]] = [
    {
        "event": "order" if index % 3 else "visit",
        "id": f"e-{index}",
        "user_id": f"u-{index % 7}",
        "timestamp": f"2026-11-0{1 + index % 5}T{index % 24:02}:30:00Z",
        "properties": {"amount": index, "country": COUNTRIES[index % 3], "tags": ["a", index % 2]},
    }
    for index in range(120)
]
RANGE = {"from": "2026-11-01", "to": "2026-11-08", "timezone": "Europe/Berlin"}
QUERIES: Sequence[dict[str, Any]] = (
    {"interval": "1d", "metrics": [{"name": "n", "agg": "count"}]},
    {
        "interval": "1d",
        "metrics": [
            {"name": "sum", "agg": "sum", "field": "properties.amount"},
            {"name": "users", "agg": "unique", "field": "user_id"},
            {"name": "max", "agg": "max", "field": "properties.amount"},
        ],
        "filter": ["is", "event", ["order"]],
        "group_by": ["properties.country"],
    },
)


@contextmanager
def running(
    request: pytest.FixtureRequest, folder: Path, engines: Sequence[str]
) -> Iterator[Stack]:
    """The whole pipeline on these engines, the rest embedded."""
    with (
        own_settings(request, engines) as settings,
        Stack(folder, settings=settings) as stack,
    ):
        stack.start_all()
        yield stack


def send(stack: Stack, credentials: Credentials, events: Sequence[dict[str, Any]]) -> None:
    answer = httpx.post(
        f"{stack.url}/v1/events?ack=projected&wait=25",
        headers=credentials.headers,
        json=events,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["ack"] == "projected"
    assert answer.json()["counts"]["ok"] == len(events)


def figures(stack: Stack, credentials: Credentials) -> list[Any]:
    """Every query's series."""
    answers = [
        httpx.post(
            f"{stack.url}/v1/query/series",
            headers=credentials.headers,
            json={"range": RANGE, **query},
            timeout=60,
        )
        for query in QUERIES
    ]
    assert [answer.status_code for answer in answers] == [200] * len(QUERIES), answers[-1].text
    return [answer.json()["series"] for answer in answers]


def exported(stack: Stack, file: Path) -> list[bytes]:
    """The project's events as lines, in a fixed order."""
    stack.manage("export_events", "--project", PROJECT, "--output", str(file))
    return sorted(file.read_bytes().splitlines())


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], Path]:
    """The embedded pipeline's figures, and its export."""
    folder = tmp_path_factory.mktemp("embedded")
    with Stack(folder / "data") as stack:
        stack.start_all()
        credentials = stack.create_project(PROJECT)
        send(stack, credentials, EVENTS)
        assert len(exported(stack, folder / "events.ndjson")) == len(EVENTS)
        return figures(stack, credentials), folder / "events.ndjson"


def name_of(engines: Sequence[str]) -> str:
    return "+".join(engine if engine in engines else "embedded" for engine in ENGINES)


@pytest.mark.parametrize("engines", MIXES, ids=name_of)
def test_a_mix_is_the_same_product_and_a_project_moves_to_it_whole(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    engines: Sequence[str],
    embedded: tuple[list[Any], Path],
) -> None:
    expected, file = embedded
    with running(request, tmp_path, engines) as stack:
        credentials = stack.create_project("sent")
        send(stack, credentials, EVENTS[:50])
        send(stack, credentials, EVENTS[40:])  # ten of them twice
        assert figures(stack, credentials) == expected

        moved = stack.create_project(PROJECT)
        said = stack.manage("import_events", "--project", PROJECT, "--json", str(file))
        assert json.loads(said)["ok"] == len(EVENTS)
        for name in ("sink", "projector"):
            assert stack.stop(name) == 0
        stack.drain()
        assert figures(stack, moved) == expected
        assert exported(stack, tmp_path / "again.ndjson") == sorted(file.read_bytes().splitlines())
        for name in ("web", "sink", "projector"):
            assert "Traceback" not in stack.log(name)

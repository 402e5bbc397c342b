"""Builders of rebuilds: a world of three projects, a rebuild of it, and what both stores hold."""

from collections.abc import Sequence

from access.services import create_project
from feed.ports import Record
from feed.topics import Topic
from replay import rebuilds, services
from replay.models import Replay
from tests.local_pipeline import LocalPipeline
from tests.oracle import read_topic
from tests.replay_builders import ANNA, FAST, fill, make_replayer
from timeseries.lifecycle import generation_states
from timeseries.ports import DocumentHour
from warehouse.ports import ScanWindow

END_MS = 2**48 - 1
PROJECTS = ("demo", "other", "zebra")


def make_world(pipeline: LocalPipeline) -> None:
    """Three projects, two of them with events."""
    for name in PROJECTS:
        create_project(name)
    fill(pipeline, 300)
    fill(pipeline, 200, project="zebra")


def begin(reason: str = "new mapping", key: str | None = None) -> Replay:
    return rebuilds.begin(reason, FAST, ANNA, idempotency_key=key)


def work(pipeline: LocalPipeline) -> None:
    """Replayer and workers, once each and often enough."""
    for _ in range(3):
        pipeline.store()
        pipeline.project()
        make_replayer(pipeline).run(once=True)


def state_of(row: Replay) -> str:
    return services.get(row.id).state


def states() -> dict[int, str]:
    return {row.number: str(row.state) for row in generation_states()}


def hours_of(pipeline: LocalPipeline, project: str, generation: int) -> Sequence[DocumentHour]:
    return list(pipeline.series.hours(project, 0, END_MS, generation=generation))


def stored(pipeline: LocalPipeline, project: str) -> Sequence[tuple[int, str, int, int]]:
    window = ScanWindow(project, 0, END_MS)
    return [
        (hour.hour_ms, hour.event, hour.count, hour.hash_sum)
        for hour in pipeline.events.hours(window)
    ]


def shown(pipeline: LocalPipeline, project: str, generation: int) -> object:
    return [
        (hour.hour_ms, hour.event, hour.count, hour.hash_sum)
        for hour in hours_of(pipeline, project, generation)
    ]


def history(pipeline: LocalPipeline) -> list[Record]:
    return list(read_topic(pipeline.feed, Topic.HISTORY))


def fill_keys(pipeline: LocalPipeline, project: str = "demo") -> list[bytes]:
    """Of the project's events, ascending."""
    window = ScanWindow(project, 0, END_MS)
    return [row.key for page in pipeline.events.scan(window) for row in page.rows]

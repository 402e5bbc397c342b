"""`feed_offsets`: moves a group's positions, and refuses while it is at work."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from feed.ports import TopicPartition
from feed.topics import Group, Topic
from tests.builders import make_event
from tests.local_pipeline import LocalPipeline


class Unmoved:
    """A rebalance listener with nothing to do."""

    def on_assigned(self, partitions: frozenset[TopicPartition]) -> None: ...

    def on_revoked(self, partitions: frozenset[TopicPartition]) -> None: ...

    def on_lost(self, partitions: frozenset[TopicPartition]) -> None: ...


def positions(pipeline: LocalPipeline) -> int:
    held = pipeline.feed.committed(Group.SINK, Topic.EVENTS)
    return sum(committed.position for committed in held.values())


def move(to: str, *, dry_run: bool = False) -> str:
    said = StringIO()
    call_command("feed_offsets", group="warehouse-sink", to=to, dry_run=dry_run, stdout=said)
    return said.getvalue()


def test_a_group_goes_back_to_the_start_and_forward_to_the_end(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event() for _ in range(12)])

    move("latest")
    assert positions(pipeline) == 12
    said = move("earliest")

    assert positions(pipeline) == 0
    assert "warehouse-sink goes on from there." in said
    assert said.count("events[") == 4


def test_handling_records_again_changes_no_figure(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event() for _ in range(12)])
    pipeline.project()
    before = pipeline.series.events_seen("demo", generation=1, limit=10)

    call_command("feed_offsets", group="projector", to="earliest", stdout=StringIO())
    pipeline.project()

    assert pipeline.series.events_seen("demo", generation=1, limit=10) == before


@pytest.mark.parametrize("future", ["4000000000000", "2096-10-02T09:06:40+02:00"])
def test_a_time_is_the_time_of_arrival(pipeline: LocalPipeline, future: str) -> None:
    pipeline.publish_events([make_event() for _ in range(3)])

    move(future)
    assert positions(pipeline) == 3
    move("2001-01-01T00:00:00Z")

    assert positions(pipeline) == 0


def test_a_dry_run_changes_nothing(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event() for _ in range(3)])

    said = move("latest", dry_run=True)

    assert positions(pipeline) == 0
    assert "Nothing was changed" in said


@pytest.mark.parametrize("dry_run", [True, False])
def test_active_members_refuse_the_move(pipeline: LocalPipeline, dry_run: bool) -> None:
    consumer = pipeline.feed.consumer(Group.SINK, [Topic.EVENTS], Unmoved())
    consumer.poll(1, timeout_s=0.1)
    try:
        with pytest.raises(CommandError, match="active members"):
            move("latest", dry_run=dry_run)
    finally:
        consumer.close()


@pytest.mark.parametrize("to", ["", "yesterday", "2026-11-01T12:00:00", "12"])
def test_a_wrong_time_is_one_sentence(pipeline: LocalPipeline, to: str) -> None:
    with pytest.raises(CommandError, match="it takes earliest, latest, or a time"):
        move(to)

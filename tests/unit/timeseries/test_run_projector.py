"""The projector's command, from the feed's topics to figures."""

import pytest
from django.core.management import call_command

from feed.codec import encode
from feed.ports import OutgoingRecord, TopicPartition
from feed.topics import Group, Topic
from tests.builders import NOON_MS, make_event, make_project_name
from tests.local_pipeline import LocalPipeline
from tests.series_builders import COUNT, make_query
from timeseries.domain import Agg, Metric, PropertyField
from timeseries.errors import GenerationDropped
from timeseries.lifecycle import begin_generation, pins
from timeseries.models import Generation
from timeseries.slots import get_slots


def test_live_events_and_history_end_up_in_the_view_once(pipeline: LocalPipeline) -> None:
    project = make_project_name()
    events = [
        make_event(project=project, occurred_at_ms=NOON_MS + index, properties=f'{{"n": {index}}}')
        for index in range(60)
    ]
    pipeline.publish_events([*events[:40], *events[:5]])
    replayed = [OutgoingRecord(event.key, encode(event)) for event in events[30:]]
    pipeline.publish(Topic.HISTORY, replayed)

    call_command("run_projector", once=True)

    number = PropertyField("properties.n", get_slots().lookup(project, "properties.n", 1))
    query = make_query(COUNT, Metric("s", Agg.SUM, number), project=project)
    (whole,) = pipeline.series.figures(query, generation=1, timeout_s=30.0).groups
    assert whole.total == (60, float(sum(range(60))))
    for group, topic in (
        (Group.PROJECTOR, Topic.EVENTS),
        (Group.PROJECTOR_HISTORY, Topic.HISTORY),
    ):
        committed = pipeline.feed.committed(group, topic)
        ends = pipeline.feed.bounds(topic)
        assert {partition: found.position for partition, found in committed.items()} == {
            partition: found.end for partition, found in ends.items() if found.end
        }


def test_changes_are_announced_for_what_became_readable(pipeline: LocalPipeline) -> None:
    reader = pipeline.feed.reader(Topic.CHANGES)
    project = make_project_name()
    pipeline.publish_events([make_event(project=project)])

    call_command("run_projector", once=True)

    said: list[bytes] = []
    for _ in range(20):
        said += [record.value for record in reader.poll(100, timeout_s=0.5)]
        if any(b'"changed"' in value for value in said):
            break
    reader.close()
    assert any(b'"changed"' in value and project.encode() in value for value in said)


def test_an_event_whose_properties_are_no_object_goes_to_the_dead_letters(
    pipeline: LocalPipeline,
) -> None:
    project = make_project_name()
    pipeline.publish_events(
        [make_event(project=project, properties="[]"), make_event(project=project)]
    )

    call_command("run_projector", once=True)

    ends = pipeline.feed.bounds(Topic.DEAD_LETTERS)
    assert sum(bounds.end for bounds in ends.values()) == 1
    (whole,) = pipeline.series.figures(
        make_query(project=project), generation=1, timeout_s=30.0
    ).groups
    assert whole.total == (1,)


def test_a_drain_pins_every_partition_of_both_topics_in_the_generation_that_is_built(
    pipeline: LocalPipeline,
) -> None:
    early, late = make_event(id="1"), make_event(id="2")
    pipeline.publish_events([early])
    pipeline.project()
    generation = begin_generation()
    pipeline.project()

    pipeline.publish_events([late])
    pipeline.project()

    positions = {
        TopicPartition(topic, partition): 0
        for topic in (Topic.EVENTS, Topic.HISTORY)
        for partition in pipeline.feed.bounds(topic)
    }
    held = pipeline.feed.committed(Group.PROJECTOR, Topic.EVENTS)
    pinned = pins(generation)
    assert pinned.keys() == positions.keys()
    assert sum(pinned.values()) == 1
    assert sum(each.position for each in held.values()) == 2
    found = pipeline.series.versions("demo", [early.key, late.key], generation=generation)
    assert found.keys() == {late.key}


def test_a_start_frees_what_a_killed_drop_left(
    pipeline: LocalPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    begin_generation()
    Generation.objects.filter(number=2).update(state=Generation.State.DROPPED)

    pipeline.project()

    assert "freed the dropped generation 2" in capsys.readouterr().err
    with pytest.raises(GenerationDropped):
        pipeline.series.ensure(2)

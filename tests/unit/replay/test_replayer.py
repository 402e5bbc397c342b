"""The replayer on embedded engines: what it emits, where it goes on, what it obeys."""

import threading

import pytest

from feed.announcements import Changed, parse_announcement
from feed.fences import Origin, origin_of
from feed.ports import Record
from feed.topics import Topic
from replay import completion, pacing, services
from replay.domain import Span
from tests.builders import NOON_MS, make_row
from tests.local_pipeline import LocalPipeline
from tests.oracle import read_topic
from tests.replay_builders import (
    HOUR_MS,
    fill,
    make_order,
    make_replayer,
    run_to_the_end,
    started,
)


def history(pipeline: LocalPipeline) -> list[Record]:
    """Every record of topic history."""
    reader = pipeline.feed.reader(Topic.HISTORY, from_end=False)
    found: list[Record] = []
    while records := reader.poll(10_000, timeout_s=0.2):
        found += records
    reader.close()
    return found


def test_every_event_of_the_range_is_emitted_once_as_it_is_stored(pipeline: LocalPipeline) -> None:
    events = fill(pipeline, 5_000)
    row = started(pipeline)

    run_to_the_end(pipeline)

    records = history(pipeline)
    stored = {event.key: make_row(event).record for event in events}
    assert {record.key: record.value for record in records} == stored
    assert len(records) == len(stored)
    done = services.get(row.id)
    assert (done.state, done.estimated, done.emitted, done.projected) == (
        *("completed", 5_000, 5_000),
        5_000,
    )
    assert {origin_of(record) for record in records} == {Origin(row.id, done.epoch)}


def test_open_charts_are_told_of_each_hour_once(pipeline: LocalPipeline) -> None:
    fill(pipeline, 300)
    live = len(list(read_topic(pipeline.feed, Topic.CHANGES)))
    started(pipeline)

    run_to_the_end(pipeline)

    records = list(read_topic(pipeline.feed, Topic.CHANGES))[live:]
    told = [parse_announcement(record.value) for record in records]
    ranges = [each for found in told if isinstance(found, Changed) for each in found.ranges]
    assert ranges == [("demo", NOON_MS - 5 * HOUR_MS, NOON_MS)]


def test_only_the_events_and_spans_that_were_asked_for_are_emitted(
    pipeline: LocalPipeline,
) -> None:
    events = fill(pipeline, 600)
    spans = [
        Span(NOON_MS - 5 * HOUR_MS, NOON_MS - 5 * HOUR_MS + 600_000),
        Span(NOON_MS - 5 * HOUR_MS + 1_200_000, NOON_MS - 4 * HOUR_MS),
        Span(NOON_MS - 1, NOON_MS),
    ]
    row = started(pipeline, make_order(spans=spans, events=("order",)))

    run_to_the_end(pipeline)

    wanted = {
        event.key
        for event in events
        if event.event == "order"
        and any(span.from_ms <= event.occurred_at_ms < span.to_ms for span in spans)
    }
    assert {record.key for record in history(pipeline)} == wanted
    assert services.get(row.id).emitted == len(wanted) == services.get(row.id).estimated


def test_once_a_projector_that_does_not_run_is_not_waited_for(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "FIRST_AHEAD", 100)
    fill(pipeline, 6_000)
    row = started(pipeline)

    make_replayer(pipeline).run(once=True)

    assert (services.get(row.id).state, services.get(row.id).emitted) == ("draining", 6_000)


def test_nobody_asks_a_coordinator_again_and_again(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Kafka that can end the process: decision 22."""

    def members(group: str) -> None:
        raise AssertionError(group)

    monkeypatch.setattr(pipeline.feed, "members", members)
    monkeypatch.setattr(pipeline.feed, "has_members", lambda group: False)
    fill(pipeline, 30)
    row = started(pipeline)

    make_replayer(pipeline).run(once=True)

    assert services.get(row.id).state == "draining"


def test_what_drains_says_what_it_waits_for(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    make_replayer(pipeline).run(once=True)
    unattended = services.get(row.id).throttled_by

    monkeypatch.setattr(pipeline.feed, "has_members", lambda group: True)
    make_replayer(pipeline).run(once=True)
    attended = services.get(row.id).throttled_by

    monkeypatch.setattr(completion, "live_lag_s", lambda feed, *, now_ms: 5.0)
    make_replayer(pipeline).run(once=True)
    behind = services.get(row.id).throttled_by

    pipeline.project()
    make_replayer(pipeline).run(once=True)
    done = services.get(row.id)
    assert (unattended, attended, behind) == ("projector", "", "live_lag")
    assert (done.state, done.throttled_by) == ("completed", "")


def test_it_waits_for_a_projector_that_does_not_follow(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "FIRST_AHEAD", 100)
    fill(pipeline, 6_000)
    row = started(pipeline)
    stop = threading.Event()
    later = threading.Timer(2.0, stop.set)
    later.start()

    make_replayer(pipeline, stop).run()

    later.join()
    held = services.get(row.id)
    assert (held.state, held.worker) == ("running", "")
    assert 0 < held.emitted < 6_000
    run_to_the_end(pipeline)
    assert services.get(row.id).projected == 6_000

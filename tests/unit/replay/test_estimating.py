"""Counting what a replay would emit, before and by the replayer."""

import threading

import pytest

from replay import orders, services
from replay.domain import Rate, Source, Span
from replay.estimating import EstimateStopped, estimate
from replay.models import Replay
from tests.builders import NOON_MS
from tests.local_pipeline import LocalPipeline
from tests.replay_builders import ANNA, HOUR_MS, fill, make_order, make_replayer, started
from warehouse.errors import StoreUnavailable


def test_the_estimate_is_exact_by_hour_and_event(pipeline: LocalPipeline) -> None:
    events = fill(pipeline, 600)
    spans = (
        Span(NOON_MS - 5 * HOUR_MS, NOON_MS - 5 * HOUR_MS + 1_000_000),
        Span(NOON_MS - 4 * HOUR_MS - 1_000_000, NOON_MS - 4 * HOUR_MS),
        Span(NOON_MS - HOUR_MS, NOON_MS - 777),
    )

    found = estimate(pipeline.events, Source("demo", spans))

    wanted = [
        event
        for event in events
        if any(span.from_ms <= event.occurred_at_ms < span.to_ms for span in spans)
    ]
    hours: dict[tuple[int, str], int] = {}
    for event in wanted:
        where = event.occurred_at_ms // HOUR_MS * HOUR_MS, event.event
        hours[where] = hours.get(where, 0) + 1
    assert found.count == len(wanted)
    assert {(hour.hour_ms, hour.event): hour.count for hour in found.hours} == hours
    assert len(found.hours) == len(hours)
    assert found.first_ms == min(event.occurred_at_ms for event in wanted)
    assert found.last_ms == max(event.occurred_at_ms for event in wanted)
    assert found.duration_s(Rate(max_eps=10)) == len(wanted) / 10
    assert found.duration_s(Rate(max_eps=None)) is None


def test_of_some_events_first_and_last_are_theirs(pipeline: LocalPipeline) -> None:
    events = fill(pipeline, 600)

    found = estimate(pipeline.events, make_order(events=("order",)).source)

    times = [event.occurred_at_ms for event in events if event.event == "order"]
    assert (found.first_ms, found.last_ms) == (min(times), max(times))


def test_it_stops_when_it_is_told(pipeline: LocalPipeline) -> None:
    fill(pipeline, 60)

    with pytest.raises(EstimateStopped):
        estimate(pipeline.events, make_order().source, go_on=lambda: False)


def test_a_replay_that_could_not_be_counted_is_counted_by_the_replayer(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 60)
    with monkeypatch.context() as patched:
        patched.setattr(pipeline.events, "hours", _away)
        draft = orders.create(make_order(), ANNA, pipeline.events)
    services.count_again(draft.id, ANNA)

    make_replayer(pipeline).run(once=True)

    assert (draft.state, draft.estimated) == ("draft", None)
    counted = services.get(draft.id)
    assert (counted.state, counted.estimated, counted.emitted) == ("ready", 60, 0)


def test_a_draft_that_is_started_is_counted_and_then_emitted(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 60)
    with monkeypatch.context() as patched:
        patched.setattr(pipeline.events, "hours", _away)
        draft = orders.create(make_order(), ANNA, pipeline.events)

    begun = services.start(draft.id, ANNA)
    make_replayer(pipeline).run(once=True)

    done = services.get(draft.id)
    assert begun.state == "estimating"
    assert (done.state, done.estimated, done.emitted) == ("draining", 60, 60)


def test_a_cancelled_count_ends_as_cancelled(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 60)
    with monkeypatch.context() as patched:
        patched.setattr(pipeline.events, "hours", _away)
        draft = orders.create(make_order(), ANNA, pipeline.events)
    services.start(draft.id, ANNA)

    assert services.cancel(draft.id, ANNA).state == "cancelled"
    make_replayer(pipeline, threading.Event()).run(once=True)
    assert services.get(draft.id).state == "cancelled"


def test_a_count_says_that_it_waits_for_the_warehouse(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 60)
    row = started(pipeline)
    Replay.objects.filter(pk=row.pk).update(state="estimating", estimated=None)
    stop = threading.Event()

    def away_at_the_end(window: object, **_: object) -> None:
        stop.set()
        _away(window)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.events, "hours", away_at_the_end)
        make_replayer(pipeline, stop).run(once=True)
    waiting = services.get(row.id)
    make_replayer(pipeline).run(once=True)

    assert (waiting.state, waiting.throttled_by) == ("estimating", "warehouse")
    assert services.get(row.id).emitted == 60


def _away(window: object, **_: object) -> None:
    raise StoreUnavailable("the warehouse is away", retry_after_s=0.01)

"""A rebuild on embedded engines: what it waits for, what it emits, how it is judged."""

import threading
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from access.services import create_project
from feed.fences import origin_of
from feed.group_wait import Waiting
from feed.ports import Record
from feed.topics import Topic
from replay import leases, rebuilds, services, verifying
from replay.domain import Rate, State
from replay.errors import IllegalMove, InvalidReplay, KeyReused
from replay.leases import Lease
from replay.models import Replay
from tests.builders import NOON_MS, make_event
from tests.damage import EmbeddedDamage
from tests.local_pipeline import LocalPipeline
from tests.oracle import read_topic
from tests.replay_builders import ANNA, FAST, HOUR_MS, fill, make_replayer
from timeseries.errors import (
    GenerationDropped,
    IllegalGenerationState,
    SeriesUnavailable,
    UnknownGeneration,
)
from timeseries.generations import read_generations
from timeseries.lifecycle import generation_states
from timeseries.ports import DocumentHour
from warehouse.ports import ScanWindow

END_MS = 2**48 - 1
PROJECTS = ("demo", "other", "zebra")


@pytest.fixture
def world(pipeline: LocalPipeline) -> LocalPipeline:
    """Three projects, two of them with events."""
    for name in PROJECTS:
        create_project(name)
    fill(pipeline, 300)
    fill(pipeline, 200, project="zebra")
    return pipeline


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


def test_a_rebuild_makes_a_generation_that_holds_what_the_warehouse_holds(
    world: LocalPipeline,
) -> None:
    row = begin()
    assert (row.generation, state_of(row), states()[2]) == (2, "estimating", "building")

    work(world)

    done = services.get(row.id)
    assert (done.state, done.estimated, done.emitted, done.projected) == (
        *("completed", 500),
        *(500, 500),
    )
    assert states() == {1: "ready", 2: "ready"}
    assert read_generations().served == 1
    for project in PROJECTS:
        assert shown(world, project, 2) == stored(world, project)
    origins = {origin_of(record) for record in history(world)}
    assert origins == {(row.id, done.epoch - 1, 2)}  # the last epoch is the verification's
    actions = [(entry.action, entry.to_state) for entry in services.log_of(row.id)]
    assert actions == [
        ("create", "estimating"),
        *[("work", state) for state in ("running", "draining", "verifying", "completed")],
    ]
    assert "500 events" in services.log_of(row.id)[-1].detail


def test_nothing_is_emitted_before_every_partition_is_pinned_and_the_sink_is_past_the_pins(
    world: LocalPipeline,
) -> None:
    row = begin()
    make_replayer(world).run(once=True)
    assert (state_of(row), history(world)) == ("running", [])
    assert services.get(row.id).throttled_by == "pins"

    late = make_event(project="other", id="late", occurred_at_ms=NOON_MS)
    world.publish_events([late])
    world.project()  # pins: the event may lie before them, and is in no warehouse yet
    make_replayer(world).run(once=True)
    assert (state_of(row), history(world)) == ("running", [])
    assert services.get(row.id).throttled_by == "sink"

    work(world)
    assert state_of(row) == "completed"
    assert shown(world, "other", 2) == stored(world, "other") != []


def test_while_it_waits_it_keeps_its_lease_and_says_for_what(
    world: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = begin()
    stop = threading.Event()
    saved: list[object] = []

    def save(lease: Lease, **changes: object) -> Replay:
        saved.append(changes.get("throttled_by"))
        if len(saved) == 3:
            stop.set()
        return real_save(lease, **changes)  # type: ignore[arg-type]  # as it was called

    real_save = leases.save
    monkeypatch.setattr(leases, "save", save)
    make_replayer(world, stop).run()

    assert saved[-2:] == ["pins", "pins"]
    left = services.get(row.id)
    assert (left.state, left.worker, left.throttled_by) == ("running", "", "")


def test_all_times_are_compared_in_windows_that_touch(
    world: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = NOON_MS - 5 * HOUR_MS, NOON_MS - HOUR_MS
    monkeypatch.setattr(verifying, "WINDOW_MS", 2 * HOUR_MS)

    assert verifying.windows_of(world.events, "other") == [(0, END_MS)]
    assert verifying.windows_of(world.events, "demo") == [
        (0, first),
        *((hour_ms, hour_ms + 2 * HOUR_MS) for hour_ms in (first, first + 2 * HOUR_MS)),
        (last, NOON_MS),
        (NOON_MS, END_MS),
    ]
    begin()
    work(world)
    assert states()[2] == "ready"


def test_an_empty_warehouse_is_rebuilt_as_well(pipeline: LocalPipeline) -> None:
    row = begin()
    work(pipeline)
    assert (state_of(row), states()[2]) == ("completed", "ready")


def test_what_differs_fails_by_name_and_a_retry_brings_it_back(
    world: LocalPipeline, tmp_path: Path
) -> None:
    row = begin()
    world.project()
    make_replayer(world).run(once=True)
    world.project()
    lost = fill_keys(world)[7]
    EmbeddedDamage(tmp_path, "demo", generation=2).delete(lost)

    make_replayer(world).run(once=True)

    failed = services.get(row.id)
    assert (failed.state, failed.error_code) == ("failed", "generation_differs")
    assert "1 of the hours: demo 2026-11-01T07:00Z (1 missing)" in failed.error_detail
    assert states()[2] == "building"
    with pytest.raises(IllegalGenerationState, match="failed"):
        rebuilds.swap(2, ANNA)

    services.retry(row.id, ANNA)
    work(world)

    assert (state_of(row), states()[2]) == ("completed", "ready")
    assert services.get(row.id).emitted == 500
    assert shown(world, "demo", 2) == stored(world, "demo")


def test_what_is_on_its_way_is_no_difference_and_is_waited_for(
    world: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(Waiting, grace_s=0.1)
    monkeypatch.setattr("replay.verification.passing.Waiting", impatient)
    row = begin()
    world.project()
    make_replayer(world).run(once=True)
    world.publish_events([make_event(project="other", id="new", occurred_at_ms=NOON_MS)])
    world.project()  # the view is ahead of the warehouse, and no sink runs

    make_replayer(world).run(once=True)
    left = services.get(row.id)
    assert (left.state, left.throttled_by, states()[2]) == ("verifying", "sink", "building")

    work(world)
    assert (state_of(row), states()[2]) == ("completed", "ready")


def test_a_view_that_is_away_while_it_is_compared_is_waited_for(
    world: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = begin()
    work(world)
    rebuilds.verify(2, ANNA)
    asked: list[object] = []
    real_hours = type(world.series).hours

    def hours(*args: object, **named: object) -> object:
        asked.append(args)
        if len(asked) < 3:
            raise SeriesUnavailable(retry_after_s=0.01)
        return real_hours(*args, **named)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(type(world.series), "hours", hours)
    make_replayer(world).run(once=True)

    assert state_of(row) == "completed"
    assert len(asked) > 3


def test_a_sound_generation_can_be_verified_again_and_a_damaged_one_is_not_swapped_in(
    world: LocalPipeline, tmp_path: Path
) -> None:
    row = begin()
    work(world)
    rebuilds.verify(2, ANNA)
    assert state_of(row) == "verifying"
    make_replayer(world).run(once=True)
    assert state_of(row) == "completed"

    EmbeddedDamage(tmp_path, "zebra", generation=2).put(fill_keys(world, "zebra")[0])
    rebuilds.verify(2, ANNA)
    with pytest.raises(IllegalGenerationState, match="verifying"):
        rebuilds.swap(2, ANNA)
    make_replayer(world).run(once=True)

    assert services.get(row.id).error_detail.startswith("warehouse and generation differ in 1 of")
    with pytest.raises(IllegalGenerationState, match="failed"):
        rebuilds.swap(2, ANNA)
    services.retry(row.id, ANNA)
    work(world)
    assert rebuilds.swap(2, ANNA).row.is_served


def test_swap_rollback_and_drop_and_what_they_refuse(world: LocalPipeline) -> None:
    with pytest.raises(IllegalGenerationState, match="no earlier"):
        rebuilds.rollback(ANNA)
    row = begin()
    with pytest.raises(IllegalGenerationState, match="estimating"):
        rebuilds.swap(2, ANNA)
    with pytest.raises(IllegalGenerationState, match="being built"):
        begin("another one")
    with pytest.raises(IllegalGenerationState, match="no rebuild"):
        rebuilds.verify(1, ANNA)
    with pytest.raises(UnknownGeneration):
        rebuilds.swap(3, ANNA)
    work(world)

    assert rebuilds.swap(2, ANNA).row.is_served
    assert read_generations().served == 2
    with pytest.raises(IllegalGenerationState, match="1 is not served"):
        rebuilds.rollback(ANNA, generation=1)
    assert rebuilds.rollback(ANNA, generation=2).row.number == 1
    assert rebuilds.swap(2, ANNA).row.is_served
    with pytest.raises(IllegalGenerationState, match="2 is served"):
        rebuilds.drop(2, ANNA)
    dropped = rebuilds.drop(1, ANNA).row

    assert (str(dropped.state), dropped.freed_at is not None) == ("dropped", True)
    with pytest.raises(GenerationDropped):
        hours_of(world, "demo", 1)
    said = [entry.detail for entry in services.log_of(row.id) if entry.via == "command"][1:]
    assert said == [
        "generation 2 is served, instead of 1",
        "generation 1 is served again, instead of 2",
        "generation 2 is served, instead of 1",
        "generation 1 is dropped",
    ]


def test_live_events_go_into_both_generations_after_the_swap_too(world: LocalPipeline) -> None:
    begin()
    work(world)
    rebuilds.swap(2, ANNA)
    world.publish_events([make_event(project="other", id="new", occurred_at_ms=NOON_MS)])
    world.store()
    world.project()

    assert stored(world, "other") == shown(world, "other", 1) == shown(world, "other", 2) != []


def test_a_cancelled_rebuild_gives_its_generation_up(world: LocalPipeline) -> None:
    row = begin()
    world.project()
    make_replayer(world).run(once=True)
    assert state_of(row) == "draining"

    services.cancel(row.id, ANNA)
    assert states()[2] == "dropped"
    work(world)  # its records are in the feed still, and count for nothing

    assert state_of(row) == "cancelled"
    assert [each.freed_at is not None for each in generation_states()] == [False, True]
    with pytest.raises(GenerationDropped):
        hours_of(world, "demo", 2)
    assert shown(world, "demo", 1) == stored(world, "demo")
    assert begin("once more").generation == 3
    work(world)
    assert states() == {1: "ready", 2: "dropped", 3: "ready"}


def test_dropping_what_is_being_built_cancels_its_rebuild(world: LocalPipeline) -> None:
    row = begin()
    world.project()
    assert str(rebuilds.drop(2, ANNA).row.state) == "dropped"
    work(world)
    assert (state_of(row), history(world)) == ("cancelled", [])


def test_cancelling_a_verification_leaves_a_generation_that_was_ready(
    world: LocalPipeline,
) -> None:
    row = begin()
    work(world)
    rebuilds.verify(2, ANNA)
    services.cancel(row.id, ANNA)
    assert (state_of(row), states()[2]) == ("cancelled", "ready")
    with pytest.raises(IllegalGenerationState, match="cancelled"):
        rebuilds.swap(2, ANNA)


def test_the_same_request_is_the_same_rebuild_and_a_bad_one_is_refused(
    pipeline: LocalPipeline,
) -> None:
    row = begin(key="k")
    assert begin(key="k").id == row.id
    with pytest.raises(KeyReused):
        begin("for another reason", key="k")
    with pytest.raises(InvalidReplay, match="reason"):
        begin(" ")
    with pytest.raises(InvalidReplay, match="max_eps"):
        rebuilds.begin("why", Rate(max_eps=0), ANNA)
    assert Replay.objects.count() == len(states()) - 1 == 1


def test_paused_it_stands_and_resumed_it_ends(world: LocalPipeline) -> None:
    row = begin()
    with pytest.raises(IllegalMove):
        services.pause(row.id, ANNA)
    make_replayer(world).run(once=True)
    services.pause(row.id, ANNA)
    work(world)
    assert state_of(row) == State.PAUSED.value
    services.resume(row.id, ANNA)
    work(world)
    assert state_of(row) == State.COMPLETED.value


def test_another_replayer_goes_on_at_the_project_where_the_first_one_died(
    world: LocalPipeline,
) -> None:
    row = begin()
    world.project()
    make_replayer(world).run(once=True)
    span, hour_ms, shard, key, project = services.get(row.id).cursor or []
    assert project == "zebra"
    Replay.objects.filter(pk=row.id).update(
        state="running", cursor=[span, hour_ms, shard, key, "other"], emitted=300
    )
    make_replayer(world).run(once=True)

    emitted = Counter(record.key for record in history(world))
    once, twice = (dict.fromkeys(fill_keys(world, name), n) for name, n in _TIMES)
    assert emitted == once | twice
    work(world)
    assert state_of(row) == "completed"


_TIMES = (("demo", 1), ("zebra", 2))


def fill_keys(pipeline: LocalPipeline, project: str = "demo") -> list[bytes]:
    """Of the project's events, ascending."""
    window = ScanWindow(project, 0, END_MS)
    return [row.key for page in pipeline.events.scan(window) for row in page.rows]

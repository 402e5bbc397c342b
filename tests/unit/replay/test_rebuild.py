"""A rebuild on embedded engines: what it waits for, what it emits, how it is judged."""

import threading
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from feed.fences import origin_of
from feed.group_wait import Waiting
from replay import leases, rebuilds, services, verifying
from replay.domain import State
from replay.errors import IllegalMove
from replay.leases import Lease
from replay.models import Replay
from tests.builders import NOON_MS, make_event
from tests.damage import EmbeddedDamage
from tests.local_pipeline import LocalPipeline
from tests.rebuild_builders import (
    END_MS,
    PROJECTS,
    begin,
    fill_keys,
    history,
    shown,
    state_of,
    states,
    stored,
    work,
)
from tests.replay_builders import ANNA, HOUR_MS, make_replayer
from timeseries.errors import IllegalGenerationState, SeriesUnavailable
from timeseries.generations import read_generations


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
    once, twice = (
        dict.fromkeys(fill_keys(world, name), n) for name, n in (("demo", 1), ("zebra", 2))
    )
    assert emitted == once | twice
    work(world)
    assert state_of(row) == "completed"

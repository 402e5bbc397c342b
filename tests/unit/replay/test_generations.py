"""What people ask of generations: served, gone back from, dropped, begun, given up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from feed.adapters.embedded import open_feed
from replay import rebuilds, services
from replay.domain import Rate
from replay.errors import InvalidReplay, KeyReused
from replay.models import Replay
from tests.builders import NOON_MS, make_event
from tests.damage import EmbeddedDamage
from tests.local_pipeline import LocalPipeline
from tests.rebuild_builders import (
    begin,
    fill_keys,
    history,
    hours_of,
    shown,
    state_of,
    states,
    stored,
    work,
)
from tests.replay_builders import ANNA, make_replayer
from timeseries.errors import GenerationDropped, IllegalGenerationState, UnknownGeneration
from timeseries.generations import read_generations
from timeseries.lifecycle import generation_states
from timeseries.models import Generation


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


@contextmanager
def before_reading(table: str, happens: Callable[[], object]) -> Iterator[None]:
    """What happens just before the first question to the table, of which there must be one."""
    asked: list[str] = []

    def execute_after(execute: Any, sql: str, *rest: Any) -> Any:
        if not asked and f'FROM "{table}"' in sql:
            asked.append(sql)
            happens()
        return execute(sql, *rest)

    with connection.execute_wrapper(execute_after):
        yield
    assert asked


@pytest.mark.parametrize("table", [Replay._meta.db_table, Generation._meta.db_table])
def test_a_rebuild_that_ends_while_it_is_looked_at_is_never_shown_completed_yet_not_ready(
    world: LocalPipeline, table: str
) -> None:
    begin()
    with before_reading(table, lambda: work(world)):
        seen = rebuilds.get(2)
    assert seen.rebuild is not None
    assert seen.rebuild.state != "completed" or str(seen.row.state) == "ready"
    after = rebuilds.get(2)
    assert (after.rebuild and after.rebuild.state, str(after.row.state)) == ("completed", "ready")


def test_a_rebuild_that_begins_while_it_is_looked_at_is_not_missed(world: LocalPipeline) -> None:
    with before_reading(Generation._meta.db_table, begin):
        newest = rebuilds.all_built()[0]
    assert (newest.row.number, newest.rebuild is not None) == (2, True)


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
    with pytest.raises(IllegalGenerationState, match="cancelled: verify generation 2 again"):
        rebuilds.swap(2, ANNA)

    rebuilds.verify(2, ANNA)
    work(world)

    assert state_of(row) == "completed"
    assert rebuilds.swap(2, ANNA).row.is_served


def test_a_ready_generation_is_mended_after_its_retry_was_cancelled(
    world: LocalPipeline, tmp_path: Path
) -> None:
    row = begin()
    work(world)
    EmbeddedDamage(tmp_path, "demo", generation=2).delete(fill_keys(world)[0])
    rebuilds.verify(2, ANNA)
    make_replayer(world).run(once=True)
    services.retry(row.id, ANNA)
    make_replayer(world).run(once=True)
    assert services.get(row.id).marks
    services.cancel(row.id, ANNA)
    assert (state_of(row), states()[2]) == ("cancelled", "ready")

    rebuilds.verify(2, ANNA)
    assert services.get(row.id).marks == []
    make_replayer(world).run(once=True)
    assert state_of(row) == "failed"
    services.retry(row.id, ANNA)
    work(world)  # its records count, although it was cancelled once

    assert (state_of(row), shown(world, "demo", 2)) == ("completed", stored(world, "demo"))


def test_partitions_added_since_do_not_hold_the_retry_of_a_ready_generation_up(
    world: LocalPipeline, tmp_path: Path
) -> None:
    row = begin()
    work(world)
    grown = open_feed("embedded:", {"partitions": "6"}, tmp_path)
    assert "topic events grew from 4 to 6 partitions" in grown.ensure_topics()
    grown.close()
    EmbeddedDamage(tmp_path, "demo", generation=2).delete(fill_keys(world)[0])
    rebuilds.verify(2, ANNA)
    make_replayer(world).run(once=True)
    assert state_of(row) == "failed"

    services.retry(row.id, ANNA)
    work(world)

    assert (state_of(row), shown(world, "demo", 2)) == ("completed", stored(world, "demo"))


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

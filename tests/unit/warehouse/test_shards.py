"""Shards: steps begin 48 hours ahead, and no writer places a key by a plan that may be wrong."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from feed.event import HOUR_MS
from tests.builders import NOON_MS, make_event, make_project_name, make_row
from warehouse.adapters.embedded import EmbeddedEventStore, open_event_store
from warehouse.errors import StoreUnavailable
from warehouse.models import ShardStep
from warehouse.shard_steps import Rate, add_step, measure, needed_shards, read_plan
from warehouse.shards import NOTICE_MS, REREAD_S, ShardPlan, ShardPlans


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedEventStore:
    return open_event_store("embedded:", {}, tmp_path)


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Loads:
    """Gives plans one after the other and counts."""

    def __init__(self, *plans: ShardPlan) -> None:
        self._plans, self.count = plans, 0

    def __call__(self, project: str) -> ShardPlan:
        self.count += 1
        return self._plans[min(self.count, len(self._plans)) - 1]


def test_a_plan_is_a_step_function_of_the_hour() -> None:
    plan = ShardPlan(0, (10, 20), (4, 16))
    assert [plan.count(hour) for hour in (0, 9, 10, 19, 20, 99)] == [1, 1, 4, 4, 16, 16]


def test_a_plan_is_read_again_before_a_step_made_later_could_misplace_a_key() -> None:
    old = ShardPlan(NOON_MS)
    step_ms = NOON_MS + NOTICE_MS + HOUR_MS
    new = ShardPlan(NOON_MS + 30 * HOUR_MS, (step_ms,), (8,))
    loads = Loads(old, new)
    plans = ShardPlans(loads, monotonic_s=Clock())
    assert plans.count("demo", NOON_MS + 24 * HOUR_MS) == 1
    assert plans.count("demo", NOON_MS - 99 * HOUR_MS) == 1
    assert loads.count == 1
    plans = ShardPlans(loads := Loads(old, new), monotonic_s=(clock := Clock()))
    plans.count("demo", NOON_MS)
    clock.now_s += REREAD_S
    assert plans.count("demo", step_ms) == 8
    assert loads.count == 2


def test_hours_that_no_plan_covers_are_not_looked_up_for_every_batch() -> None:
    loads = Loads(ShardPlan(NOON_MS))
    plans = ShardPlans(loads, monotonic_s=(clock := Clock()))
    for _ in range(5):
        plans.count("demo", NOON_MS + 99 * HOUR_MS)
    assert loads.count == 1
    clock.now_s += REREAD_S
    plans.count("demo", NOON_MS + 99 * HOUR_MS)
    assert loads.count == 2


def test_a_plan_that_cannot_be_read_places_nothing() -> None:
    def fail(project: str) -> ShardPlan:
        raise StoreUnavailable("no database")

    with pytest.raises(StoreUnavailable):
        ShardPlans(fail).count("demo", NOON_MS)


@pytest.mark.django_db
def test_steps_are_added_48_hours_ahead_and_only_behind_the_last(
    store: EmbeddedEventStore,
) -> None:
    project = make_project_name()
    first = add_step(store, project, 4, now_ms=NOON_MS + 1)
    second = add_step(store, project, 8, now_ms=NOON_MS + 1)
    assert (first, second) == (NOON_MS + NOTICE_MS + HOUR_MS, NOON_MS + NOTICE_MS + 2 * HOUR_MS)
    plan = read_plan(project)
    assert (plan.starts_ms, plan.counts) == ((first, second), (4, 8))
    assert read_plan(make_project_name()).counts == ()


@pytest.mark.django_db
def test_a_step_begins_after_every_hour_that_holds_events(store: EmbeddedEventStore) -> None:
    project = make_project_name()
    far_ms = NOON_MS + 500 * HOUR_MS
    store.append([make_row(make_event(project=project, occurred_at_ms=far_ms))])
    assert add_step(store, project, 2, now_ms=NOON_MS) == far_ms + HOUR_MS


def test_a_database_that_does_not_answer_is_said_in_the_stores_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr("warehouse.shard_steps.close_old_connections", fail)
    with pytest.raises(StoreUnavailable, match="DATABASE_URL"):
        read_plan("demo")


@pytest.mark.parametrize(
    ("events", "size", "shards"),
    [(0, 0, 1), (140_000, 350, 1), (150_000, 350, 2), (10_000_000, 350, 128), (10**9, 10**6, 4096)],
)
def test_shards_follow_from_the_busiest_hour(events: int, size: int, shards: int) -> None:
    assert needed_shards(Rate(events, size)) == shards


def test_the_rate_is_that_of_the_busiest_hour_of_two_days(store: EmbeddedEventStore) -> None:
    project = make_project_name()
    times = [NOON_MS, NOON_MS + 1, NOON_MS - HOUR_MS, NOON_MS - 99 * HOUR_MS]
    rows = [make_row(make_event(project=project, occurred_at_ms=each)) for each in times]
    store.append(rows)
    rate = measure(store, project, now_ms=NOON_MS + 10)
    assert rate == Rate(2, len(rows[0].record))
    assert measure(store, make_project_name(), now_ms=NOON_MS) == Rate(0, 0)


def grow_shards(*arguments: str) -> str:
    out = StringIO()
    call_command("grow_shards", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_grow_shards_adds_a_step_once(
    store: EmbeddedEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.management.commands.grow_shards.get_event_store", lambda: store)
    project = make_project_name()
    assert "is enough" in grow_shards("--project", project)
    assert "needs 8" in grow_shards("--project", project, "--shards", "8", "--dry-run")
    assert not ShardStep.objects.exists()
    assert "has 8 shards an hour from" in grow_shards("--project", project, "--shards", "8")
    assert "is enough" in grow_shards("--project", project, "--shards", "8")
    assert ShardStep.objects.get().shards == 8
    with pytest.raises(CommandError, match="0"):
        grow_shards("--project", project, "--shards", "0")

"""Only what persists is a difference: what is on its way is waited for, or said to lag."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from feed import group_wait
from feed.event import HOUR_MS, LAST_KEY_MS, Event
from feed.group_wait import Waiting
from feed.ports import Feed
from feed.topics import Group
from operations.reconcile.opening import open_reconciliation
from replay.domain import Span
from replay.verification import reconciliation, sides
from replay.verification.comparison import Difference, Kind
from replay.verification.outcome import Hour, Verdict
from replay.verification.passing import Passing
from replay.verification.reconciliation import Reconciliation
from replay.verification.sides import Sides
from tests.builders import NOON_MS, make_event, make_row
from tests.damage import EmbeddedDamage
from tests.local_pipeline import LocalPipeline

MINUTE_MS = 60_000
WHOLE = Span(0, LAST_KEY_MS)


def handled(pipeline: LocalPipeline, events: Sequence[Event]) -> None:
    """All the way through."""
    pipeline.publish_events(events)
    pipeline.store()
    pipeline.project()


def spread(count: int, *, step_ms: int = MINUTE_MS) -> list[Event]:
    return [make_event(occurred_at_ms=NOON_MS + index * step_ms) for index in range(count)]


def reconcile(
    span: Span = WHOLE,
    *,
    wait_s: float = 60.0,
    tell: Callable[[Group, int], None] = lambda *_: None,
    most_kept: int = 100,
) -> tuple[Reconciliation, list[Hour], list[Difference]]:
    """The whole comparison, its hours, and what a repair is told."""
    found: list[Difference] = []
    opened = open_reconciliation(
        "demo", span, wait_s=wait_s, most_kept=most_kept, tell=tell, found=found.extend
    )
    return opened, list(opened.hours()), found


def between_looks(pipeline: LocalPipeline, happens: Callable[[], None]) -> Reconciliation:
    """Something happens after the first look; then both groups are said to have come."""

    class Between(Passing):
        def have_passed(self) -> bool:
            happens()
            return True

    both = Sides("demo", 1, pipeline.events, pipeline.series)
    return Reconciliation(both, WHOLE, Between(pipeline.feed, wait_s=0.0), most_kept=100)


def test_a_quiet_pipeline_holds_the_same_everywhere(pipeline: LocalPipeline) -> None:
    handled(pipeline, [*spread(100), make_event(project="other")])

    opened, hours, found = reconcile()

    assert [(hour.hour_ms, hour.state, hour.counts.warehouse) for hour in hours] == [
        (NOON_MS, Verdict.SAME, 60),
        (NOON_MS + HOUR_MS, Verdict.SAME, 40),
    ]
    assert (opened.summary.state, opened.summary.hour_count, opened.lag) == (Verdict.SAME, 2, None)
    assert (opened.summary.counts.warehouse, opened.summary.counts.view) == (100, 100)
    assert found == []


def test_a_project_without_events_holds_nothing_on_both_sides(pipeline: LocalPipeline) -> None:
    opened, hours, found = reconcile()
    assert (opened.summary.state, hours, found) == (Verdict.SAME, [], [])


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
@pytest.mark.parametrize("narrowed_from", [1, 1_000_000])
def test_damage_is_reported_to_the_key_whatever_the_chunks(
    pipeline: LocalPipeline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
    narrowed_from: int,
) -> None:
    monkeypatch.setattr(reconciliation, "CHUNK", chunk)
    monkeypatch.setattr(reconciliation, "NARROWED_FROM", narrowed_from)
    events = spread(100)
    handled(pipeline, events)
    damage, added = EmbeddedDamage(tmp_path, "demo"), make_event(occurred_at_ms=NOON_MS + 5)
    for index in (3, 4, 5, 70):
        damage.delete(events[index].key)
    damage.put(events[30].key)
    damage.put(added.key)

    opened, hours, found = reconcile()

    expected = {events[index].key: Kind.MISSING for index in (3, 4, 5, 70)}
    expected |= {events[30].key: Kind.CHANGED, added.key: Kind.EXTRA}
    assert {each.key: each.kind for each in found} == expected
    assert len(found) == len(expected)
    assert [each for hour in hours for each in hour.differences] == found
    counts = opened.summary.counts
    assert (counts.missing, counts.changed, counts.extra, counts.on_the_way) == (4, 1, 1, 0)
    assert [hour.state for hour in hours] == [Verdict.DIFFERENT, Verdict.DIFFERENT]
    assert (hours[0].counts.warehouse, hours[0].counts.view) == (60, 58)


def test_what_is_kept_of_an_hour_is_bounded_and_what_is_found_is_not(
    pipeline: LocalPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "CHUNK", 2)
    events = spread(10)
    handled(pipeline, events)
    for event in events:
        EmbeddedDamage(tmp_path, "demo").delete(event.key)

    _, (hour,), found = reconcile(most_kept=3)

    assert hour.counts.missing == len(found) == 10
    assert hour.differences == found[:3]


@pytest.mark.parametrize("narrowed_from", [1, 1_000_000])
def test_only_what_lies_in_the_range_is_compared(
    pipeline: LocalPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, narrowed_from: int
) -> None:
    monkeypatch.setattr(reconciliation, "NARROWED_FROM", narrowed_from)
    events = spread(100)
    handled(pipeline, events)
    for event in events:
        EmbeddedDamage(tmp_path, "demo").delete(event.key)

    span = Span(NOON_MS + 30 * MINUTE_MS, NOON_MS + 70 * MINUTE_MS)
    _, hours, found = reconcile(span)

    assert [each.key for each in found] == [event.key for event in events[30:70]]
    assert [hour.counts.missing for hour in hours] == [30, 10]


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_what_the_view_refuses_is_counted_apart_and_is_no_difference(
    pipeline: LocalPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(reconciliation, "CHUNK", chunk)
    monkeypatch.setattr(sides, "PAGE_ROWS", 2)
    events = spread(5)
    newer = replace(events[4], properties="[]", received_at_ms=events[4].received_at_ms + 1)
    handled(pipeline, [*events, *(make_event(properties="[]") for _ in range(3)), newer])

    opened, (hour,), found = reconcile()
    assert (hour.state, hour.differences, found) == (Verdict.SAME, [], [])
    assert (opened.summary.counts.refused, hour.counts.on_the_way) == (4, 0)

    EmbeddedDamage(tmp_path, "demo").delete(events[1].key)
    _, (hour,), found = reconcile()
    assert [(each.key, each.kind) for each in found] == [(events[1].key, Kind.MISSING)]
    assert (hour.state, hour.counts.missing, hour.counts.refused) == (Verdict.DIFFERENT, 1, 4)


def test_what_waits_in_the_feed_is_lag_and_no_difference(pipeline: LocalPipeline) -> None:
    handled(pipeline, spread(10))
    pipeline.publish_events(spread(20))
    pipeline.store()

    opened, (hour,), found = reconcile(wait_s=0.0)

    assert (hour.state, opened.summary.state) == (Verdict.LAGGING, Verdict.LAGGING)
    assert (hour.counts.warehouse, hour.counts.view, found) == (30, 10, [])
    assert "no projector runs, and 20 records" in str(opened.lag)


def test_lag_is_waited_for(pipeline: LocalPipeline) -> None:
    handled(pipeline, spread(10))
    pipeline.publish_events(spread(20))
    pipeline.store()
    told: list[tuple[Group, int]] = []

    def project(group: Group, left: int) -> None:
        told.append((group, left))
        pipeline.project()

    opened, (hour,), found = reconcile(tell=project)

    assert told == [(Group.PROJECTOR, 20)]
    assert (hour.state, hour.counts.on_the_way, found) == (Verdict.SAME, 20, [])
    assert opened.lag is None


def test_a_difference_is_told_from_lag_beside_it(pipeline: LocalPipeline, tmp_path: Path) -> None:
    events = spread(10)
    handled(pipeline, events)
    pipeline.publish_events(spread(20))
    pipeline.project()  # the view is ahead of the warehouse
    EmbeddedDamage(tmp_path, "demo").delete(events[7].key)

    _, (hour,), found = reconcile(tell=lambda *_: pipeline.store())

    assert [(each.key, each.kind) for each in found] == [(events[7].key, Kind.MISSING)]
    assert (hour.state, hour.counts.on_the_way) == (Verdict.DIFFERENT, 20)


def test_a_difference_proven_before_the_lag_stays_one(
    pipeline: LocalPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "CHUNK", 1)
    monkeypatch.setattr(group_wait, "LOOK_S", 0.0)
    events = spread(2)
    handled(pipeline, events)
    for event in events:
        EmbeddedDamage(tmp_path, "demo").delete(event.key)
    found: list[Difference] = []

    def fall_behind(chunk: Sequence[Difference]) -> None:
        found.extend(chunk)
        pipeline.publish_events([make_event(project="other")])

    opened = open_reconciliation("demo", WHOLE, wait_s=0.0, most_kept=9, found=fall_behind)
    (hour,) = opened.hours()

    assert [each.key for each in found] == [events[0].key]
    assert (hour.state, hour.counts.missing) == (Verdict.DIFFERENT, 1)
    assert opened.lag is not None


def test_who_has_fallen_behind_once_is_not_waited_for_again(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "SETTLED_EVERY_S", -1.0)
    handled(pipeline, spread(2, step_ms=HOUR_MS))
    pipeline.publish_events(spread(3, step_ms=HOUR_MS))
    pipeline.store()
    waits: list[Waiting] = []

    def wait(feed: Feed, groups: Sequence[Group], waiting: Waiting) -> None:
        waits.append(waiting)
        group_wait.wait_for_groups(feed, groups, waiting)

    monkeypatch.setattr("replay.verification.passing.wait_for_groups", wait)

    opened, hours, _ = reconcile(wait_s=0.0)

    assert [hour.state for hour in hours] == [Verdict.LAGGING] * 3
    assert (len(waits), opened.summary.state) == (1, Verdict.LAGGING)


@pytest.mark.parametrize(("every_s", "waits"), [(3600.0, 1), (-1.0, 5)])
def test_hours_share_a_wait_for_a_while(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch, every_s: float, waits: int
) -> None:
    monkeypatch.setattr(reconciliation, "SETTLED_EVERY_S", every_s)
    lost = spread(5, step_ms=HOUR_MS)
    pipeline.events.append([make_row(event) for event in lost])
    waited: list[int] = []

    opened = between_looks(pipeline, lambda: waited.append(len(waited)))
    hours = list(opened.hours())

    assert len(waited) == waits
    assert [each.key for hour in hours for each in hour.differences] == [e.key for e in lost]
    assert (opened.summary.hour_count, opened.summary.counts.missing) == (5, 5)


def test_events_that_come_behind_a_look_are_not_chased(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "CHUNK", 3)
    comes = iter(spread(50, step_ms=1000))

    class Coming(Sides):
        def differences(self, span: Span, *, after: bytes | None) -> Iterator[Difference]:
            yield from super().differences(span, after=after)
            pipeline.events.append([make_row(next(comes))])

    pipeline.events.append([make_row(next(comes)) for _ in range(2)])
    both = Coming("demo", 1, pipeline.events, pipeline.series)
    opened = Reconciliation(both, WHOLE, Passing(pipeline.feed, wait_s=0.0), most_kept=100)
    (hour,) = opened.hours()

    assert (hour.counts.missing, len(list(comes))) == (2, 47)


def test_a_key_that_a_newer_record_changed_between_the_looks_is_no_difference(
    pipeline: LocalPipeline,
) -> None:
    first = make_event(id="e1")
    newer = replace(first, received_at_ms=first.received_at_ms + 1000)
    pipeline.events.append([make_row(first)])  # the view has not got it yet

    def arrive() -> None:
        pipeline.events.append([make_row(newer)])

    opened = between_looks(pipeline, arrive)
    (hour,) = opened.hours()

    assert (hour.state, hour.counts.missing, hour.counts.on_the_way) == (Verdict.SAME, 0, 1)


def test_what_comes_between_the_looks_was_not_there_to_differ(pipeline: LocalPipeline) -> None:
    lost, late = make_event(id="lost"), make_event(id="late")
    pipeline.events.append([make_row(lost)])

    opened = between_looks(pipeline, lambda: pipeline.events.append([make_row(late)]))
    (hour,) = opened.hours()

    assert [each.key for each in hour.differences] == [lost.key]
    assert (hour.counts.missing, hour.counts.on_the_way) == (1, 0)

"""Whoever compares or exports waits for the groups first, and knows when that is vain."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from feed import group_wait
from feed.group_wait import GRACE_S, GroupsBehind, Waiting, wait_for_groups
from feed.topics import Group, Topic
from tests.builders import make_event
from tests.local_pipeline import LocalPipeline

pytestmark = pytest.mark.django_db


@dataclass
class SteppingClock:
    """Every look at it moves it on; at each step something may happen."""

    step_s: float
    now_s: float = 0.0
    happens: dict[int, object] = field(default_factory=dict)
    looks: int = 0

    def __call__(self) -> float:
        self.looks += 1
        self.now_s += self.step_s
        happening = self.happens.get(self.looks)
        if callable(happening):
            happening()
        return self.now_s


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_wait, "LOOK_S", 0.0)


def wait(
    pipeline: LocalPipeline,
    clock: SteppingClock,
    *,
    limit_s: float,
    groups: Sequence[Group] = (Group.SINK,),
) -> list[tuple[Group, int]]:
    told: list[tuple[Group, int]] = []
    waiting = Waiting(limit_s, lambda group, left: told.append((group, left)))
    wait_for_groups(pipeline.feed, groups, waiting, clock=clock)
    return told


class _Listener:
    def on_assigned(self, partitions: object) -> None: ...
    def on_revoked(self, partitions: object) -> None: ...
    def on_lost(self, partitions: object) -> None: ...


def test_nothing_to_wait_for_needs_no_sink(pipeline: LocalPipeline) -> None:
    assert wait(pipeline, SteppingClock(1.0), limit_s=0.0) == []


def test_it_waits_until_the_sink_has_passed_the_end_of_the_start(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event() for _ in range(7)])
    clock = SteppingClock(1.0)
    clock.happens = {4: pipeline.store}
    told = wait(pipeline, clock, limit_s=60.0)
    assert told[0] == (Group.SINK, 7)
    assert clock.looks >= 4


def test_it_waits_for_every_group(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event() for _ in range(3)])
    clock = SteppingClock(1.0)
    clock.happens = {3: pipeline.store, 6: pipeline.project}
    told = wait(pipeline, clock, limit_s=60.0, groups=(Group.SINK, Group.PROJECTOR))
    assert told[-1] == (Group.PROJECTOR, 3)
    assert clock.looks >= 6


def test_the_group_that_is_behind_is_named(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event()])
    pipeline.store()
    with pytest.raises(GroupsBehind, match=r"no projector runs, and 1 records .* run_projector"):
        wait(pipeline, SteppingClock(1.0), limit_s=60.0, groups=(Group.SINK, Group.PROJECTOR))


def test_what_comes_after_the_start_is_not_waited_for(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event()])

    def store_and_publish() -> None:
        pipeline.store()
        pipeline.publish_events([make_event() for _ in range(9)])

    clock = SteppingClock(1.0)
    clock.happens = {3: store_and_publish}
    assert set(wait(pipeline, clock, limit_s=60.0)) == {(Group.SINK, 1)}


def test_no_sink_is_borne_for_a_while_only(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event()])
    clock = SteppingClock(1.0)
    with pytest.raises(GroupsBehind, match="no warehouse sink runs, and 1 records"):
        wait(pipeline, clock, limit_s=3600.0)
    assert clock.now_s == pytest.approx(GRACE_S, abs=2.0)


def test_a_sink_that_is_slow_ends_the_wait_at_its_limit(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event()])
    member = pipeline.feed.consumer(Group.SINK, [Topic.EVENTS], _Listener())
    member.poll(1, timeout_s=5.0)
    clock = SteppingClock(1.0)
    with pytest.raises(GroupsBehind, match=r"after 30 s 1 records .* longer --wait"):
        wait(pipeline, clock, limit_s=30.0)
    member.close()

"""Waiting on the loop: for the feed, and for the level asked for."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from feed.adapters.embedded import EmbeddedFeed
from feed.event import ProjectId
from feed.ports import OutgoingRecord, TopicPartition
from feed.progress import ProgressWatcher
from feed.ticket import Logged, Ticket
from feed.topics import Group, Topic
from ingest.acknowledgement import MANY, Settling, reach_level
from ingest.payloads import Counts, Level
from ingest.services import Accepted, Submission, accept
from tests.builders import NOON_MS
from tests.ingest_builders import make_row_text, writer_held

POSITIONS = {TopicPartition(Topic.EVENTS, 0): 4, TopicPartition(Topic.EVENTS, 1): 7}


def pass_all(feed: EmbeddedFeed, group: Group, *, short_by: int = 0) -> None:
    """The group has committed just beyond POSITIONS, or `short_by` less."""
    reached = {place: offset + 1 - short_by for place, offset in POSITIONS.items()}
    feed.set_committed(group, reached)


@pytest.mark.parametrize("wanted", list(Level))
async def test_each_level_is_reached_when_its_groups_have_passed(
    feed: EmbeddedFeed, wanted: Level
) -> None:
    pass_all(feed, Group.SINK)
    pass_all(feed, Group.PROJECTOR)
    progress = ProgressWatcher(feed)
    assert await reach_level(wanted, POSITIONS, progress, wait_s=20) is wanted


async def test_the_level_reached_is_named_when_the_time_is_up(feed: EmbeddedFeed) -> None:
    progress = ProgressWatcher(feed)
    assert await reach_level(Level.STORED, POSITIONS, progress, wait_s=0) is Level.LOGGED
    pass_all(feed, Group.SINK)
    pass_all(feed, Group.PROJECTOR, short_by=1)
    assert await reach_level(Level.PROJECTED, POSITIONS, progress, wait_s=0.1) is Level.STORED


async def test_projected_means_stored_as_well(feed: EmbeddedFeed) -> None:
    pass_all(feed, Group.PROJECTOR)
    progress = ProgressWatcher(feed)
    assert await reach_level(Level.PROJECTED, POSITIONS, progress, wait_s=0) is Level.LOGGED


async def test_nothing_logged_is_nothing_to_wait_for(feed: EmbeddedFeed) -> None:
    progress = ProgressWatcher(feed)
    assert await reach_level(Level.PROJECTED, {}, progress, wait_s=20) is Level.LOGGED


def offer(feed: EmbeddedFeed, event_id: str) -> Accepted:
    submission = Submission([make_row_text(id=event_id)], ProjectId("demo"), "r", "rest")
    return accept(submission, feed, now_ms=NOON_MS)


async def test_many_waiters_are_woken_by_the_feeds_thread(feed: EmbeddedFeed) -> None:
    settling = Settling(asyncio.get_running_loop(), feed, deadline_s=60)
    sent = [offer(feed, f"e{n}") for n in range(200)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(settling.wait(each) for each in sent))
    assert {each.outcome().counts.ok for each in sent} == {1}


class SlowReports:
    """A feed's tickets, settled by whoever takes the reports, and only a few at a time."""

    def __init__(self) -> None:
        self.tickets: deque[Ticket] = deque()
        self.taken = self.left = 0
        self.fault: Exception | None = None

    def take_reports(self, *, timeout_s: float) -> bool:
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        few = [self.tickets.popleft() for _ in range(min(3, len(self.tickets)))]
        for ticket in few:
            ticket.settle(0, Logged(0, 0))
        self.taken += len(few)
        return bool(few)

    def leave_reports(self) -> None:
        self.left += 1


@pytest.fixture
def reports(feed: EmbeddedFeed, monkeypatch: pytest.MonkeyPatch) -> SlowReports:
    """Of the feed, which publishes nothing any more."""
    made = SlowReports()

    def publish(topic: str, records: Sequence[OutgoingRecord]) -> Ticket:
        made.tickets.append(Ticket(len(records)))
        return made.tickets[-1]

    monkeypatch.setattr(feed, "publish", publish)
    monkeypatch.setattr(feed, "reports", lambda: made)
    return made


async def test_while_many_wait_the_loop_takes_the_reports_itself(
    feed: EmbeddedFeed, reports: SlowReports
) -> None:
    settling = Settling(asyncio.get_running_loop(), feed, deadline_s=60)
    for spell in (1, 2):
        sent = [offer(feed, f"e{n}") for n in range(MANY)]
        async with asyncio.timeout(30):
            await asyncio.gather(*(settling.wait(each) for each in sent))
            assert {each.outcome().counts.ok for each in sent} == {1}
            while reports.left < spell:  # with nothing to take the loop gives them back
                await asyncio.sleep(0)
    assert (reports.taken, reports.left) == (2 * MANY, 2)


async def test_while_few_wait_the_feeds_thread_settles(
    feed: EmbeddedFeed, reports: SlowReports
) -> None:
    settling = Settling(asyncio.get_running_loop(), feed, deadline_s=0.2)
    sent = [offer(feed, f"e{n}") for n in range(MANY - 1)]
    waiting = [asyncio.create_task(settling.wait(each)) for each in sent]
    await asyncio.sleep(0)
    settled = reports.tickets.popleft()
    await asyncio.to_thread(settled.settle, 0, Logged(0, 0))
    async with asyncio.timeout(30):
        await asyncio.gather(*waiting)
    assert [each.outcome().counts for each in sent] == [Counts(ok=1)] + [Counts(retry=1)] * (
        MANY - 2
    )
    assert (reports.taken, reports.left) == (0, 0)


async def test_the_timer_stands_at_the_deadline_of_whoever_has_waited_longest(
    feed: EmbeddedFeed, reports: SlowReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, timed_s = asyncio.get_running_loop(), list[float]()
    call_at = loop.call_at

    def noted(when_s: float, callback: Callable[..., object], *given: Any, **more: Any) -> Any:
        if callback == settling._expire:
            timed_s.append(when_s)
        return call_at(when_s, callback, *given, **more)

    monkeypatch.setattr(loop, "call_at", noted)
    deadline_s, begun_s, waiting = 0.2, list[tuple[float, float]](), list[asyncio.Task[None]]()
    settling = Settling(loop, feed, deadline_s=deadline_s)
    for number in range(4):
        accepted, before_s = offer(feed, f"e{number}"), loop.time()
        waiting.append(asyncio.create_task(settling.wait(accepted)))
        await asyncio.sleep(0)  # it begins to wait
        begun_s.append((before_s, loop.time()))
        await asyncio.sleep(0.02)
    waiting[0].cancel()  # whoever has waited longest is gone: the timer goes on to the next
    async with asyncio.timeout(30):
        await asyncio.gather(*waiting, return_exceptions=True)

    assert len(timed_s) == 4
    for at_s, (before_s, after_s) in zip(timed_s, begun_s, strict=True):
        assert before_s + deadline_s <= at_s <= after_s + deadline_s


async def test_what_is_never_reported_is_waited_for_until_the_deadline_by_many_too(
    feed: EmbeddedFeed, reports: SlowReports
) -> None:
    settling = Settling(asyncio.get_running_loop(), feed, deadline_s=0.2)
    sent = [offer(feed, f"e{n}") for n in range(2 * MANY)]
    reports.tickets.clear()
    async with asyncio.timeout(30):
        await asyncio.gather(*(settling.wait(each) for each in sent))
    assert [each.outcome().counts for each in sent] == [Counts(retry=1)] * (2 * MANY)
    assert (reports.taken, reports.left) == (0, 1)


async def test_a_look_that_fails_is_not_the_last_one(
    feed: EmbeddedFeed, reports: SlowReports
) -> None:
    loop, said = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _, context: said.append(context["exception"]))
    settling, reports.fault = Settling(loop, feed, deadline_s=60), ValueError("a bug")
    sent = [offer(feed, f"e{n}") for n in range(MANY)]
    waiting = [asyncio.create_task(settling.wait(each)) for each in sent]
    async with asyncio.timeout(30):
        while not reports.left:
            await asyncio.sleep(0)
        sent.append(offer(feed, "another"))
        await asyncio.gather(settling.wait(sent[-1]), *waiting)
    assert len(said) == 1
    assert {each.outcome().counts.ok for each in sent} == {1}


async def test_what_is_unknown_at_the_deadline_is_retry_and_may_be_logged_later(
    feed: EmbeddedFeed, tmp_path: Path
) -> None:
    settling = Settling(asyncio.get_running_loop(), feed, deadline_s=0.05)
    with writer_held(tmp_path):
        accepted = offer(feed, "late")
        await settling.wait(accepted)
        assert accepted.outcome().counts == Counts(retry=1)
    assert await asyncio.to_thread(feed.flush, timeout_s=20)
    assert sum(bounds.end for bounds in feed.bounds(Topic.EVENTS).values()) == 1


def test_a_loop_that_is_gone_does_not_disturb_the_feeds_thread(
    feed: EmbeddedFeed, tmp_path: Path
) -> None:
    async def wait_briefly(accepted: Accepted) -> None:
        await Settling(asyncio.get_running_loop(), feed, deadline_s=0.01).wait(accepted)

    with writer_held(tmp_path):
        held = offer(feed, "held")
        asyncio.run(wait_briefly(held))
    later = offer(feed, "later")
    for accepted in (held, later):
        accepted.wait(timeout_s=20)
        assert accepted.outcome().counts == Counts(ok=1)

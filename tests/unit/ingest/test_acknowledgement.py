"""Waiting on the loop: for the feed, and for the level asked for."""

import asyncio
from pathlib import Path

import pytest

from feed.adapters.embedded import EmbeddedFeed
from feed.event import ProjectId
from feed.ports import TopicPartition
from feed.progress import ProgressWatcher
from feed.topics import Group, Topic
from ingest.acknowledgement import Settling, reach_level
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
    settling = Settling(asyncio.get_running_loop(), deadline_s=60)
    sent = [offer(feed, f"e{n}") for n in range(200)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(settling.wait(each) for each in sent))
    assert {each.outcome().counts.ok for each in sent} == {1}


async def test_what_is_unknown_at_the_deadline_is_retry_and_may_be_logged_later(
    feed: EmbeddedFeed, tmp_path: Path
) -> None:
    settling = Settling(asyncio.get_running_loop(), deadline_s=0.05)
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
        await Settling(asyncio.get_running_loop(), deadline_s=0.01).wait(accepted)

    with writer_held(tmp_path):
        held = offer(feed, "held")
        asyncio.run(wait_briefly(held))
    later = offer(feed, "later")
    for accepted in (held, later):
        accepted.wait(timeout_s=20)
        assert accepted.outcome().counts == Counts(ok=1)

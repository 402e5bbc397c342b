"""Waiting in asyncio until a group has handled given records."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_django.fixtures import Settings

from feed import progress
from feed.adapters.embedded import EmbeddedFeed
from feed.backends import FEED
from feed.ports import TopicPartition
from feed.progress import ProgressWatcher, get_progress
from feed.topics import Group, Topic
from tests.stack import wait_until
from tests.unit.feed.loops import (
    Keeper,
    consuming,
    live,
    open_test_feed,
    publish_events,
    topic_away,
    turn_until_committed,
)

EVENTS_0 = TopicPartition(Topic.EVENTS, 0)
LONG_S = 30.0


def commit(feed: EmbeddedFeed, position: int) -> None:
    """Move the group by hand: a commit that announces nothing."""
    feed.set_committed(Group.SINK, {EVENTS_0: position})


def watching_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "feed-progress"]


@pytest_asyncio.fixture(autouse=True)
async def _no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(progress, "LINGER_S", 0.05)
    yield
    await asyncio.to_thread(wait_until, "the thread has ended", lambda: not watching_threads())


async def test_what_is_passed_already_is_answered_without_an_announcement(
    feed: EmbeddedFeed,
) -> None:
    publish_events(feed, 2)
    commit(feed, 2)
    watcher = ProgressWatcher(feed)
    assert await watcher.wait_passed(Group.SINK, {EVENTS_0: 1}, timeout_s=LONG_S)


async def test_a_position_equal_to_the_offset_is_not_past_it(feed: EmbeddedFeed) -> None:
    publish_events(feed, 2)
    commit(feed, 1)
    watcher = ProgressWatcher(feed)
    assert not await watcher.wait_passed(Group.SINK, {EVENTS_0: 1}, timeout_s=0.0)


async def test_a_group_that_never_committed_has_passed_nothing(feed: EmbeddedFeed) -> None:
    watcher = ProgressWatcher(feed)
    assert not await watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=0.05)


async def test_nothing_to_wait_for_is_passed(feed: EmbeddedFeed) -> None:
    assert await ProgressWatcher(feed).wait_passed(Group.SINK, {}, timeout_s=LONG_S)


async def test_a_waiter_wakes_when_the_loop_commits(feed: EmbeddedFeed) -> None:
    publish_events(feed, 3)
    watcher = ProgressWatcher(feed)
    waiting = asyncio.create_task(watcher.wait_passed(Group.SINK, {EVENTS_0: 2}, timeout_s=LONG_S))
    await asyncio.sleep(0)
    await asyncio.to_thread(consume_all, feed)
    assert await waiting


def consume_all(feed: EmbeddedFeed) -> None:
    with consuming(feed, live(Keeper())) as consumer:
        turn_until_committed(consumer)


async def test_a_lost_announcement_loses_no_answer(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    watcher = ProgressWatcher(feed)
    waiting = asyncio.create_task(watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=LONG_S))
    await asyncio.to_thread(wait_until, "someone watches", lambda: bool(watching_threads()))
    commit(feed, 1)
    assert await waiting


async def test_every_position_must_be_passed(tmp_path: Path) -> None:
    feed = open_test_feed(tmp_path, partitions=2)
    publish_events(feed, 20)
    both = {TopicPartition(Topic.EVENTS, each): 0 for each in (0, 1)}
    watcher = ProgressWatcher(feed)
    feed.set_committed(Group.SINK, {TopicPartition(Topic.EVENTS, 0): 1})
    assert not await watcher.wait_passed(Group.SINK, both, timeout_s=0.1)
    feed.set_committed(Group.SINK, {TopicPartition(Topic.EVENTS, 1): 1})
    assert await watcher.wait_passed(Group.SINK, both, timeout_s=LONG_S)
    feed.close()


async def test_many_waiters_share_one_thread_and_each_gets_its_own_answer(
    feed: EmbeddedFeed,
) -> None:
    publish_events(feed, 40)
    watcher = ProgressWatcher(feed)
    waits = [
        asyncio.create_task(
            watcher.wait_passed(Group.SINK, {EVENTS_0: n}, timeout_s=LONG_S if n < 20 else 0.3)
        )
        for n in range(40)
    ]
    await asyncio.sleep(0)
    assert len(watching_threads()) == 1
    commit(feed, 20)
    assert await asyncio.gather(*waits) == [True] * 20 + [False] * 20


async def test_groups_are_told_apart(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    commit(feed, 1)
    watcher = ProgressWatcher(feed)
    sink, projector = await asyncio.gather(
        watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=LONG_S),
        watcher.wait_passed(Group.PROJECTOR, {EVENTS_0: 0}, timeout_s=0.1),
    )
    assert (sink, projector) == (True, False)


async def test_a_cancelled_waiter_is_forgotten(feed: EmbeddedFeed) -> None:
    watcher = ProgressWatcher(feed)
    waiting = asyncio.create_task(watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=LONG_S))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_thread_comes_back_after_a_quiet_while(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    commit(feed, 1)
    watcher = ProgressWatcher(feed)
    for _ in range(2):
        assert await watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=LONG_S)
        await asyncio.to_thread(wait_until, "it has ended", lambda: not watching_threads())


async def test_without_the_topic_changes_answers_still_come(
    feed: EmbeddedFeed, tmp_path: Path
) -> None:
    publish_events(feed, 1)
    watcher = ProgressWatcher(feed)
    with topic_away(tmp_path, Topic.CHANGES):
        waiting = asyncio.create_task(
            watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=LONG_S)
        )
        await asyncio.to_thread(wait_until, "someone watches", lambda: bool(watching_threads()))
        commit(feed, 1)
        assert await waiting


async def test_a_feed_that_is_away_gives_the_lower_level_at_the_limit(
    feed: EmbeddedFeed, tmp_path: Path
) -> None:
    (tmp_path / "feed").rename(tmp_path / "away")
    watcher = ProgressWatcher(feed)
    assert not await watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=0.1)


async def test_a_bug_in_the_thread_answers_everyone_and_the_next_waiter_starts_another(
    feed: EmbeddedFeed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)

    class Broken(Mapping[TopicPartition, int]):
        """Positions that cannot be looked at."""

        def __getitem__(self, key: TopicPartition) -> int:
            raise KeyError(key)

        def __iter__(self) -> Iterator[TopicPartition]:
            raise RuntimeError("a bug")

        def __len__(self) -> int:
            return 1

    publish_events(feed, 1)
    commit(feed, 1)
    watcher = ProgressWatcher(feed)
    assert not await watcher.wait_passed(Group.SINK, Broken(), timeout_s=LONG_S)
    assert "watching progress failed" in caplog.text
    assert await watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=LONG_S)


def test_a_process_has_one_watcher_for_its_feed(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    FEED.forget()
    first = get_progress()
    assert get_progress() is first
    FEED.forget()
    assert get_progress() is not first
    FEED.forget()


async def test_a_process_that_is_about_to_end_answers_whoever_waits(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    watcher = ProgressWatcher(feed)
    waiting = asyncio.create_task(watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=1_000.0))
    while not watching_threads():
        await asyncio.sleep(0)

    watcher.hurry()

    assert not await waiting
    assert not await watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=1_000.0)
    commit(feed, 1)
    assert await watcher.wait_passed(Group.SINK, {EVENTS_0: 0}, timeout_s=1_000.0)

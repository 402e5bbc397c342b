"""What every feed holds under several real processes: killed, stopped, forked. An adapter's test
subclasses it, gives a fixture `url`, and adds what only it must hold."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from feed.ports import Feed
from tests.contract.feed_driver import (
    GroupMember,
    make_records,
    positions_after,
    publish,
    wait_until,
)
from tests.contract.feed_process import GROUP, TOPIC, open_feed
from tests.contract.feed_workers import Start, log_of, starting


class FeedProcessesContract:
    """Topics have four partitions; a member that stops loses its own within a few seconds."""

    @pytest.fixture
    def feed(self, url: str, tmp_path: Path) -> Iterator[Feed]:
        feed = open_feed(url, tmp_path)
        feed.ensure_topics()
        yield feed
        feed.close()

    @pytest.fixture
    def start(self, url: str, tmp_path: Path) -> Iterator[Start]:
        with starting(url, tmp_path) as start:
            yield start

    def test_what_producers_were_told_is_logged_outlives_their_kill(
        self, feed: Feed, start: Start
    ) -> None:
        check_producers_killed(feed, start)

    def test_a_killed_consumer_is_taken_over_and_nothing_is_left_unread(
        self, feed: Feed, start: Start
    ) -> None:
        check_consumer_killed(feed, start)

    def test_a_stopped_member_is_taken_over_and_fenced_when_it_wakes(
        self, feed: Feed, start: Start
    ) -> None:
        publish(feed, TOPIC, make_records(40))
        sleeper = start("hold")
        wait_until(lambda: ["holding"] in sleeper.lines())
        sleeper.signal(signal.SIGSTOP)

        taker = GroupMember(feed, GROUP, TOPIC)
        wait_until(lambda: len(taker.records) == 40, polling=[taker])
        assert feed.committed(GROUP, TOPIC) == {}
        taker.consumer.commit(positions_after(taker.records[:10]))
        held = feed.committed(GROUP, TOPIC)

        sleeper.signal(signal.SIGCONT)
        assert sleeper.process.stdin is not None
        sleeper.process.stdin.write(b"go\n")
        sleeper.process.stdin.flush()
        wait_until(lambda: len(sleeper.lines()) == 3, polling=[taker])

        assert sleeper.lines()[1] == ["fenced"]
        assert sleeper.lines()[2] == ["lost", [[TOPIC, partition] for partition in range(4)]]
        assert feed.committed(GROUP, TOPIC) == held
        taker.consumer.close()
        assert sleeper.end() == 0

    def test_a_handle_that_opened_nothing_works_on_both_sides_of_a_fork(
        self, feed: Feed, start: Start
    ) -> None:
        worker = start("fork")

        assert worker.end() == 0

        placed = [tuple(line[1:]) for line in worker.lines() if line[0] in ("parent", "child")]
        assert len(set(placed)) == len(placed) == 400
        assert ["status", 0] in worker.lines()
        assert sum(bounds.end for bounds in feed.bounds(TOPIC).values()) == 400


def check_producers_killed(feed: Feed, start: Start, crash_point: str = "") -> None:
    """One of two producers is killed, from outside or at a crash point: what both were told is in
    the log, once."""
    victim, other = start("produce", crash_point), start("produce")
    if crash_point:
        assert victim.end() == -signal.SIGKILL
    wait_until(lambda: len(other.lines()) > 100 and len(victim.lines()) > 0)
    victim.kill()
    journaled = len(other.lines())
    wait_until(lambda: len(other.lines()) > journaled + 20)
    other.kill()

    log = log_of(feed)

    assert {*victim.places(), *other.places()} <= log
    assert len({value for _, _, value in log}) == len(log)


def check_consumer_killed(feed: Feed, start: Start, crash_point: str = "") -> None:
    """A consumer is killed, from outside or at a crash point (on joining, or once another joins):
    the other reads what it left."""
    producer, victim = start("produce"), start("consume", crash_point)
    wait_until(lambda: victim.process.poll() is not None or len(victim.places()) > 50)
    heir = start("consume")
    if crash_point:
        assert victim.end() == -signal.SIGKILL
    else:
        wait_until(lambda: len(heir.places()) > 50)
    victim.kill()
    wait_until(lambda: {place for place, _, _ in heir.places()} == {0, 1, 2, 3})
    producer.kill()

    ends = {partition: bounds.end for partition, bounds in feed.bounds(TOPIC).items()}
    wait_until(lambda: {n: c.position for n, c in feed.committed(GROUP, TOPIC).items()} == ends)

    assert {*victim.places(), *heir.places()} == log_of(feed)

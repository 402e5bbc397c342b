"""The embedded feed under several real processes: killed, stopped, forked, out of disk."""

import os
import signal
import time
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

URL = "embedded:?lease_s=2"


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    feed = open_feed(URL, tmp_path)
    feed.ensure_topics()
    yield feed
    feed.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(URL, tmp_path) as start:
        yield start


@pytest.mark.parametrize("crash_point", ["", "publish.before_commit:5", "publish.after_commit:5"])
def test_what_producers_were_told_is_logged_outlives_their_kill(
    feed: Feed, start: Start, crash_point: str
) -> None:
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
    for partition, bounds in feed.bounds(TOPIC).items():
        offsets = sorted(offset for place, offset, _ in log if place == partition)
        assert offsets == list(range(bounds.end))


@pytest.mark.parametrize("crash_point", ["", "groups.after_acquire", "groups.after_release"])
def test_a_killed_consumer_is_taken_over_and_nothing_is_left_unread(
    feed: Feed, start: Start, crash_point: str
) -> None:
    producer, victim = start("produce"), start("consume", crash_point)
    wait_until(lambda: crash_point == "groups.after_acquire" or len(victim.places()) > 50)
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


def test_a_stopped_member_is_taken_over_and_fenced_when_it_wakes(feed: Feed, start: Start) -> None:
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
    assert sleeper.end() == 0
    taker.consumer.close()


def test_a_killed_member_is_known_to_be_gone_before_its_lease_ends(
    feed: Feed, start: Start
) -> None:
    publish(feed, TOPIC, make_records(40))
    victim = start("hold")
    wait_until(lambda: ["holding"] in victim.lines())
    assert len(feed.members(GROUP)) == 1

    victim.kill()

    assert feed.members(GROUP) == []
    feed.set_committed(GROUP, positions_after([]))


def test_a_handle_that_opened_nothing_works_on_both_sides_of_a_fork(
    feed: Feed, start: Start
) -> None:
    worker = start("fork")

    assert worker.end() == 0

    placed = [tuple(line[1:]) for line in worker.lines() if line[0] in ("parent", "child")]
    assert len(set(placed)) == len(placed) == 400
    assert ["status", 0] in worker.lines()
    assert sum(bounds.end for bounds in feed.bounds(TOPIC).values()) == 400


def test_a_handle_with_open_files_refuses_in_a_forked_child_and_serves_the_parent(
    feed: Feed, start: Start
) -> None:
    worker = start("fork_late")

    assert worker.end() == 0

    said = {str(line[0]): line[1] for line in worker.lines()}
    assert said["parent"] == "logged"
    assert "forked while its parent had SQLite files open" in str(said["child"])
    assert said["status"] == 0
    assert sum(bounds.end for bounds in feed.bounds(TOPIC).values()) == 2


def test_a_full_disk_is_unavailable_and_forgotten_once_there_is_room(
    feed: Feed, start: Start
) -> None:
    worker = start("full")

    assert worker.end() == 0

    refused, logged = worker.lines()
    assert refused[0] == "refused"
    assert "cannot write topic events" in str(refused[2])
    assert logged == ["logged", int(str(refused[1])) + 10]


def test_the_wal_stays_bounded_under_constant_readers(
    feed: Feed, start: Start, tmp_path: Path
) -> None:
    readers = [start("consume"), start("consume")]
    wal = tmp_path / "feed" / f"{TOPIC}.sqlite-wal"
    sizes = []
    for _ in range(12):
        for _ in range(10):
            publish(feed, TOPIC, make_records(100, size=8000))
        sizes.append(wal.stat().st_size)

    assert max(sizes) < 60_000_000
    assert all(reader.process.poll() is None for reader in readers)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_an_idle_consumer_costs_little_and_wakes_when_a_record_comes(
    feed: Feed, start: Start
) -> None:
    worker = start("idle")
    wait_until(lambda: ["idle"] in worker.lines())
    before_s, began_s = _cpu_s(worker.process.pid), time.monotonic()
    reader = feed.reader(TOPIC)
    while time.monotonic() - began_s < 2.0:
        assert reader.poll(10, timeout_s=2.0) == []
    used = (_cpu_s(worker.process.pid) - before_s) / (time.monotonic() - began_s)

    publish(feed, TOPIC, make_records(1))
    wait_until(lambda: len(worker.lines()) == 2)

    assert used < 0.2  # 0.01 on a quiet machine

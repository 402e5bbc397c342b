"""The embedded feed under several real processes: killed, stopped, forked, out of disk."""

import os
import time
from pathlib import Path

import pytest

from feed.ports import Feed
from tests.contract.feed_driver import make_records, positions_after, publish, wait_until
from tests.contract.feed_process import GROUP, TOPIC
from tests.contract.feed_processes_contract import (
    FeedProcessesContract,
    check_consumer_killed,
    check_producers_killed,
)
from tests.contract.feed_workers import Start, log_of


class TestEmbeddedFeedProcesses(FeedProcessesContract):
    @pytest.fixture
    def url(self) -> str:
        return "embedded:?lease_s=2"

    @pytest.mark.parametrize("crash_point", ["publish.before_commit:5", "publish.after_commit:5"])
    def test_a_producer_killed_around_its_commit_leaves_no_gap_and_what_it_was_told(
        self, feed: Feed, start: Start, crash_point: str
    ) -> None:
        check_producers_killed(feed, start, crash_point)

        log = log_of(feed)
        for partition, bounds in feed.bounds(TOPIC).items():
            offsets = sorted(offset for place, offset, _ in log if place == partition)
            assert offsets == list(range(bounds.end))

    @pytest.mark.parametrize("crash_point", ["groups.after_acquire", "groups.after_release"])
    def test_a_consumer_killed_as_it_joins_or_gives_way_is_taken_over(
        self, feed: Feed, start: Start, crash_point: str
    ) -> None:
        check_consumer_killed(feed, start, crash_point)

    def test_a_killed_member_is_known_to_be_gone_before_its_lease_ends(
        self, feed: Feed, start: Start
    ) -> None:
        publish(feed, TOPIC, make_records(40))
        victim = start("hold")
        wait_until(lambda: ["holding"] in victim.lines())
        assert len(feed.members(GROUP)) == 1

        victim.kill()

        assert feed.members(GROUP) == []
        feed.set_committed(GROUP, positions_after([]))

    def test_a_handle_with_open_files_refuses_in_a_forked_child_and_serves_the_parent(
        self, feed: Feed, start: Start
    ) -> None:
        worker = start("fork_late")

        assert worker.end() == 0

        said = {str(line[0]): line[1] for line in worker.lines()}
        assert said["parent"] == "logged"
        assert "forked while its parent had SQLite files open" in str(said["child"])
        assert said["status"] == 0
        assert sum(bounds.end for bounds in feed.bounds(TOPIC).values()) == 2

    def test_a_full_disk_is_unavailable_and_forgotten_once_there_is_room(
        self, feed: Feed, start: Start
    ) -> None:
        worker = start("full")

        assert worker.end() == 0

        refused, logged = worker.lines()
        assert refused[0] == "refused"
        assert "cannot write topic events" in str(refused[2])
        assert logged == ["logged", int(str(refused[1])) + 10]

    def test_the_wal_stays_bounded_under_constant_readers(
        self, feed: Feed, start: Start, tmp_path: Path
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

    def test_an_idle_consumer_costs_little_and_wakes_when_a_record_comes(
        self, feed: Feed, start: Start
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


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

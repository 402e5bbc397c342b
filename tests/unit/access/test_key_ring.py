"""The thread that follows the keys: what it does when they change, when the database fails, after
a fork."""

import logging
import os
import threading
from collections.abc import Iterator

import pytest

from access.key_ring import KeyRing
from access.keys import KeySnapshot
from access.problems import Code, Problem

WAIT_S = 10.0


class Source:
    """Loads what the test says, and counts."""

    def __init__(self) -> None:
        self.stamp = "1"
        self.is_failing = False
        self.calls = 0
        self.called = threading.Semaphore(0)

    def load(self, known: str | None) -> KeySnapshot | None:
        self.calls += 1
        try:
            if self.is_failing:
                raise OSError("the database is away")
            return None if known == self.stamp else KeySnapshot(self.stamp)
        finally:
            self.called.release()

    def wait_for_calls(self, count: int) -> None:
        for _ in range(count):
            assert self.called.acquire(timeout=WAIT_S)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def ring(source: Source) -> Iterator[KeyRing]:
    ring = KeyRing(source.load, period_s=0.01)
    yield ring
    ring.stop()


def test_the_first_use_loads_the_keys(ring: KeyRing) -> None:
    assert ring.snapshot().stamp == "1"


def test_a_change_is_followed_and_the_same_keys_stay_the_same_object(
    ring: KeyRing, source: Source
) -> None:
    first = ring.snapshot()
    source.wait_for_calls(3)
    assert ring.snapshot() is first

    source.stamp = "2"
    source.wait_for_calls(source.calls + 2)
    assert ring.snapshot().stamp == "2"


def test_the_last_keys_stay_in_force_while_the_database_is_away(
    ring: KeyRing, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    assert ring.snapshot().stamp == "1"
    source.is_failing, source.stamp = True, "2"
    with caplog.at_level(logging.WARNING):
        source.wait_for_calls(source.calls + 4)
    assert ring.snapshot().stamp == "1"
    assert [record.action for record in caplog.records][:1] == ["keys_not_refreshed"]  # type: ignore[attr-defined]
    assert len([record for record in caplog.records if record.exc_info]) <= 1

    source.is_failing = False
    source.wait_for_calls(source.calls + 2)
    assert ring.snapshot().stamp == "2"


def test_without_any_keys_a_request_is_asked_to_come_again(ring: KeyRing, source: Source) -> None:
    source.is_failing = True
    with pytest.raises(Problem) as caught:
        ring.snapshot()
    assert (caught.value.status, caught.value.code) == (503, Code.STORE_UNAVAILABLE)
    assert caught.value.headers["Retry-After"] == "1"


def test_many_threads_start_one_follower(source: Source) -> None:
    ring = KeyRing(source.load, period_s=1000)
    callers = [threading.Thread(target=ring.snapshot) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(WAIT_S)
    ring.stop()
    assert source.calls == 1


def test_a_stopped_ring_starts_again_with_fresh_keys(ring: KeyRing, source: Source) -> None:
    ring.snapshot()
    ring.stop()
    source.stamp = "2"
    assert ring.snapshot().stamp == "2"


def test_stopping_twice_or_unstarted_is_harmless(ring: KeyRing) -> None:
    ring.stop()
    ring.stop()


def test_a_forked_child_follows_the_keys_with_a_thread_of_its_own(
    ring: KeyRing, source: Source
) -> None:
    assert ring.snapshot().stamp == "1"
    source.wait_for_calls(1)
    child = os.fork()
    if child == 0:
        # The child ends here whatever happens, so that it never runs the rest of the test run.
        source.stamp = "2"
        os._exit(0 if ring.snapshot().stamp == "2" else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0

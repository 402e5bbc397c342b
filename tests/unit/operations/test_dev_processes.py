"""Parts of `dev`: restarted when they crash, stopped together. Real processes, which are named by
commands that end quickly."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from feed.backoff import Backoff
from operations.dev.processes import Part, Parts

LIMIT_S = 60.0


def until(condition: Callable[[], bool], parts: Parts) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        parts.tend()
        time.sleep(0.02)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def parts(said: list[str]) -> Iterator[Parts]:
    made = Parts(dict(os.environ), said.append)
    yield made
    made.stop()


def make_part(*command: str, may_end: bool = False) -> Part:
    return Part("part", command, may_end=may_end, pauses=Backoff(first_s=0.05, cap_s=0.1))


def test_a_part_that_crashes_is_named_and_started_again(parts: Parts, said: list[str]) -> None:
    parts.start(make_part("no_such_command"))

    until(lambda: len(said) == 2, parts)

    assert all(line.startswith("part ended with status 1: it starts again in") for line in said)


def test_a_part_that_may_end_is_left_alone_when_it_is_done(parts: Parts, said: list[str]) -> None:
    part = make_part("help", "--commands", may_end=True)
    parts.start(part)

    until(lambda: not part.is_running(), parts)
    parts.tend()
    parts.tend()

    assert said == []
    assert part.process is None


def test_a_part_that_may_end_but_fails_is_started_again(parts: Parts, said: list[str]) -> None:
    parts.start(make_part("no_such_command", may_end=True))

    until(lambda: bool(said), parts)


def test_stopping_waits_for_every_part(parts: Parts) -> None:
    running = [make_part("shell"), make_part("shell")]  # reads its input, which never comes
    parts.start(*running)

    parts.stop()

    assert [part.is_running() for part in running] == [False, False]


def test_a_part_ends_when_the_other_end_of_its_input_is_closed() -> None:
    part = make_part("serve", "--port", "0")
    part.start(dict(os.environ))
    assert part.process is not None
    assert part.process.stdin is not None

    part.process.stdin.close()

    # Before serve has its handlers the signal itself ends it, afterwards it ends in order.
    assert part.process.wait(timeout=LIMIT_S) in (0, -signal.SIGTERM)

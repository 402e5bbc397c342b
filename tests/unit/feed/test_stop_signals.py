"""Signals to a real process: one drains, the same again ends it at once, so does the deadline."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feed.stop_signals import StopSignals

CHILD = Path(__file__).with_name("stopping_child.py")
LIMIT_S = 20
Child = subprocess.Popen[str]


@pytest.fixture
def start() -> Iterator[Callable[[float], Child]]:
    """Start a child with this drain deadline; it is ended with the test."""
    children: list[Child] = []

    def started(deadline_s: float) -> Child:
        child = subprocess.Popen(
            [sys.executable, str(CHILD), str(deadline_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    yield started
    for child in children:
        child.kill()
        child.communicate()


def echo(child: Child, line: str) -> str:
    """The child's main thread is at work: it answers."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


def wait_for_log(child: Child, text: str) -> None:
    assert child.stderr is not None
    assert text in child.stderr.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_lets_work_go_on(
    start: Callable[[float], Child], number: signal.Signals
) -> None:
    child = start(LIMIT_S)
    child.send_signal(number)
    wait_for_log(child, "stopping: the batch in hand is finished")
    assert echo(child, "still working") == "still working"
    child.communicate(timeout=LIMIT_S)
    assert child.returncode == 0


def test_the_same_signal_again_ends_the_process_at_once(start: Callable[[float], Child]) -> None:
    child = start(LIMIT_S * 10)
    child.send_signal(signal.SIGTERM)
    wait_for_log(child, "stopping")
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=LIMIT_S) == 128 + signal.SIGTERM


def test_another_signal_is_the_same_request(start: Callable[[float], Child]) -> None:
    child = start(LIMIT_S)
    child.send_signal(signal.SIGINT)
    wait_for_log(child, "stopping")
    child.send_signal(signal.SIGTERM)
    assert [echo(child, f"line {n}") for n in range(3)] == ["line 0", "line 1", "line 2"]
    child.communicate(timeout=LIMIT_S)
    assert child.returncode == 0


def test_work_that_outlasts_the_deadline_is_left(start: Callable[[float], Child]) -> None:
    child = start(0.2)
    child.send_signal(signal.SIGTERM)
    wait_for_log(child, "stopping")
    wait_for_log(child, "did not end in 0.2 s")
    assert child.wait(timeout=LIMIT_S) == 1


def test_without_a_signal_nothing_is_requested(start: Callable[[float], Child]) -> None:
    child = start(LIMIT_S)
    child.communicate(timeout=LIMIT_S)
    assert child.returncode == 9


def test_handlers_are_put_back_at_the_end() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with StopSignals():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_outside_the_main_thread_nothing_is_installed() -> None:
    seen: list[object] = []

    def enter() -> None:
        with StopSignals() as signals:
            seen.append(signal.getsignal(signal.SIGTERM))
            seen.append(signals.requested.is_set())

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before, False]

"""The thread that samples the pipeline, on a real one."""

import threading

import pytest
from django.db import DatabaseError

from operations import sampler
from operations.sampler import Sampler
from tests.stack import wait_until


def test_it_looks_again_and_again_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    monkeypatch.setattr(sampler, "look", lambda: looks.append(threading.current_thread().name))
    running = Sampler(period_s=0.01)

    running.start()
    wait_until("three looks", lambda: len(looks) >= 3)
    running.stop()

    count = len(looks)
    assert set(looks) == {"sampler"}
    assert not [one for one in threading.enumerate() if one.name == "sampler"]
    assert len(looks) == count


def test_a_failed_look_is_followed_by_the_next(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[int] = []

    def fail() -> None:
        looks.append(1)
        raise DatabaseError("locked")

    monkeypatch.setattr(sampler, "look", fail)
    running = Sampler(period_s=0.01)

    running.start()
    wait_until("two looks", lambda: len(looks) >= 2)
    running.stop()

    said = [message for message in caplog.messages if "samples of the pipeline" in message]
    assert said == ["samples of the pipeline: waiting: locked"], "once, not at every look"

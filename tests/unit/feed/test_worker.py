"""A worker command: its options, its exit codes, what it says."""

import logging
import os
import re
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from feed import supervisor
from feed.adapters.embedded import EmbeddedFeed
from feed.consumer import Lane
from feed.deliveries import Delivery, Poison
from feed.errors import Backpressure
from feed.ports import Feed
from feed.topics import Topic
from feed.worker import WorkerCommand
from tests.unit.feed.loops import (
    Keeper,
    dead_letters,
    live,
    open_test_feed,
    position,
    publish_events,
    publish_values,
)

# Between two attempts a worker closes Django's old connections, which other tests may have left.
pytestmark = pytest.mark.django_db


class Worker(WorkerCommand):
    """A worker whose handler the test keeps."""

    def __init__(self, handler: Keeper) -> None:
        self.handler, self.prepared, self.written = handler, 0, StringIO()
        super().__init__(stderr=self.written, no_color=True)

    def prepare(self) -> None:
        self.prepared += 1

    def lanes(self, feed: Feed) -> Sequence[Lane]:
        return [live(self.handler)]

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        return self.written.getvalue()


@pytest.fixture
def feed(tmp_path: Path, settings: Settings) -> Iterator[EmbeddedFeed]:
    """The feed that the settings name, seen from outside the worker."""
    settings.DATA_DIR = tmp_path
    opened = open_test_feed(tmp_path)
    yield opened
    opened.close()


def test_once_drains_and_ends_well(feed: EmbeddedFeed) -> None:
    publish_events(feed, 12)
    worker = Worker(Keeper())
    call_command(worker, once=True)
    assert len(worker.handler.handled) == 12
    assert position(feed, live(worker.handler)) == 12
    assert worker.prepared == 1


def test_it_says_in_plain_words_what_it_reads(feed: EmbeddedFeed) -> None:
    worker = Worker(Keeper())
    call_command(worker, once=True)
    assert worker.said == "test_worker: draining topic events as group warehouse-sink\n"


def test_a_failure_of_the_handler_is_survived_and_the_records_come_again(
    feed: EmbeddedFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_WAIT_S", 0.0)
    publish_events(feed, 3)
    worker = Worker(Keeper(troubles=[RuntimeError("a bug"), RuntimeError("a bug")]))
    call_command(worker, once=True)
    assert worker.handler.handled == ["e-0", "e-1", "e-2"]


def test_too_much_poison_ends_it_with_exit_code_1_and_a_sentence(
    feed: EmbeddedFeed, caplog: pytest.LogCaptureFixture
) -> None:
    publish_values(feed, [b"garbage"] * 300)
    with pytest.raises(SystemExit) as ended:
        call_command(Worker(Keeper()), once=True)
    assert ended.value.code == 1
    assert "test_worker stops: 200 of the last 200 records refused" in caplog.text
    assert dead_letters(feed) == []


def test_a_feed_without_topics_ends_a_drain_with_the_command_that_makes_them(
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(supervisor, "MAX_WAIT_S", 0.0)
    settings.DATA_DIR = tmp_path / "nothing-here"
    with pytest.raises(SystemExit):
        call_command(Worker(Keeper()), once=True)
    assert "run manage.py ensure_engines" in caplog.messages[-1]


def test_a_wrong_option_of_a_store_ends_it_with_the_options_sentence(
    feed: EmbeddedFeed, caplog: pytest.LogCaptureFixture
) -> None:
    class Misconfigured(Worker):
        """Its store refuses an option."""

        def lanes(self, feed: Feed) -> Sequence[Lane]:
            raise ValueError("cache_mb is 'many': it takes a number")

    with pytest.raises(SystemExit):
        call_command(Misconfigured(Keeper()), once=True)
    assert caplog.messages == ["test_worker stops: cache_mb is 'many': it takes a number"]


def test_an_engine_that_is_away_at_the_start_is_waited_for_and_said_once(
    feed: EmbeddedFeed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Unprepared(Worker):
        """What it needs is there at the fourth try."""

        def prepare(self) -> None:
            super().prepare()
            if self.prepared < 4:
                raise Backpressure("the view at port 1 is away")

    caplog.set_level(logging.INFO, "feed.supervisor")
    monkeypatch.setattr(supervisor, "FIRST_WAIT_S", 0.0)
    publish_events(feed, 3)
    worker = Unprepared(Keeper())
    call_command(worker, once=True)
    assert worker.handler.handled == ["e-0", "e-1", "e-2"]
    assert worker.prepared == 4
    assert caplog.messages == [
        "test_worker: waiting: the view at port 1 is away",
        "test_worker: going on",
    ]


def test_a_refusal_to_prepare_ends_it_with_its_sentence(
    feed: EmbeddedFeed, caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing(Worker):
        """Its view is of another version."""

        def prepare(self) -> None:
            raise CommandError("the index is of another version: run ensure_engines")

    with pytest.raises(SystemExit):
        call_command(Refusing(Keeper()), once=True)
    assert caplog.messages == [
        "test_worker stops: the index is of another version: run ensure_engines"
    ]


class Scraping(Keeper):
    """Reads its own worker's metrics while it handles."""

    worker: "Worker"
    metrics: str = ""

    def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
        found = re.search(r"http://127\.0\.0\.1:\d+/metrics", self.worker.said)
        assert found
        with urllib.request.urlopen(found[0], timeout=10) as reply:  # noqa: S310 - loopback
            self.metrics = reply.read().decode()
        return super().handle(batch)


def test_metrics_are_served_while_it_runs(feed: EmbeddedFeed) -> None:
    publish_events(feed, 3)
    keeper = Scraping()
    keeper.worker = worker = Worker(keeper)
    call_command(worker, once=True, metrics_port=0)
    where = 'group="warehouse-sink",partition="0",topic="events"'
    assert f"weir_consumer_lag_records{{{where}}} 3.0" in keeper.metrics
    assert 'weir_assigned_partitions{group="warehouse-sink"} 1.0' in keeper.metrics


def test_a_metrics_port_in_use_is_one_clear_sentence(feed: EmbeddedFeed) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"--metrics-port {port} cannot be used"):
            call_command(Worker(Keeper()), once=True, metrics_port=port)


@pytest.mark.parametrize("port", ["-1", "65536", "http", "8.5", "٣"])
def test_a_metrics_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(CommandError, match="is not a port"):
        call_command(Worker(Keeper()), f"--metrics-port={port}")


def test_an_unset_worker_names_no_lanes(feed: EmbeddedFeed) -> None:
    with pytest.raises(NotImplementedError, match="names no lanes"):
        WorkerCommand().lanes(feed)


def test_a_stop_ends_it_well_with_what_it_has_committed(feed: EmbeddedFeed) -> None:
    class Interrupting(Keeper):
        """SIGTERM comes while it handles."""

        def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
            os.kill(os.getpid(), signal.SIGTERM)
            return super().handle(batch)

    assert threading.current_thread() is threading.main_thread()
    publish_events(feed, 2)
    worker = Worker(Interrupting())
    call_command(worker)
    assert worker.said.endswith("SIGTERM or Ctrl-C drains and stops\n")
    assert position(feed, live(worker.handler)) == 2
    assert feed.bounds(Topic.EVENTS)[0].end == 2

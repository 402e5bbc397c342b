"""The writer under stress: a full queue, a locked file, a failing callback, jumping clocks."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from feed import sqlite
from feed.adapters.embedded import EmbeddedFeed
from feed.adapters.embedded.files import topic_path
from feed.adapters.embedded.options import Options, parse_options
from feed.clock import Clock
from feed.errors import FeedFull, FeedUnavailable
from feed.ports import OutgoingRecord
from feed.sqlite import open_file, writing
from feed.ticket import Ticket
from tests.contract.feed_driver import (
    PATIENCE_S,
    logged,
    make_records,
    places,
    publish,
    read,
    ticketed,
)


@contextmanager
def _opened(tmp_path: Path, clock: Clock | None = None, **options: str) -> Iterator[EmbeddedFeed]:
    parsed: Options = parse_options(options)
    feed = EmbeddedFeed(tmp_path / "feed", parsed, clock=clock)
    try:
        feed.ensure_topics()
        yield feed
    finally:
        feed.close()


@contextmanager
def _locked(tmp_path: Path) -> Iterator[None]:
    """Another process, so to say, writes for as long as this lasts."""
    connection = open_file(topic_path(tmp_path / "feed", "events"))
    try:
        with writing(connection):
            yield
    finally:
        connection.close()


def _fill(feed: EmbeddedFeed, records: Sequence[OutgoingRecord]) -> list[Ticket]:
    """Publish until the queue is full."""
    tickets: list[Ticket] = []
    with pytest.raises(FeedFull, match="wait to be written") as told:
        tickets.extend(feed.publish("events", records) for _ in count())
    assert told.value.retry_after_s > 0
    return tickets


def test_a_full_queue_refuses_until_it_is_written(tmp_path: Path) -> None:
    with _opened(tmp_path, queue_records="50") as feed:
        with _locked(tmp_path):
            tickets = _fill(feed, make_records(10))

        # The writer may hold the first publish already when the rest is queued.
        assert 5 <= len(tickets) <= 6
        for ticket in tickets:
            logged(ticket)
        publish(feed, "events", make_records(10))


def test_the_queue_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    with _opened(tmp_path, queue_bytes=str(1024 * 1024)) as feed, _locked(tmp_path):
        tickets = _fill(feed, make_records(1, size=600_000))

        assert 1 <= len(tickets) <= 2


def test_one_publish_larger_than_the_queue_is_taken_when_nothing_waits(tmp_path: Path) -> None:
    with _opened(tmp_path, queue_records="5") as feed:
        publish(feed, "events", make_records(50))


def test_a_file_that_stays_locked_fails_the_ticket_and_the_next_one_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    with _opened(tmp_path) as feed:
        with _locked(tmp_path):
            ticket = feed.publish("events", make_records(3))
            assert ticket.wait(timeout_s=PATIENCE_S)

        assert all(isinstance(outcome, FeedUnavailable) for outcome in ticket.outcomes())
        assert feed.bounds("events")[0].end == 0
        publish(feed, "events", make_records(3))


def test_a_topic_that_fails_does_not_touch_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    with _opened(tmp_path) as feed, _locked(tmp_path):
        failing = feed.publish("events", make_records(3))

        publish(feed, "history", make_records(3))
        assert failing.wait(timeout_s=PATIENCE_S)


def test_a_callback_that_raises_stops_neither_the_writer_nor_the_others(tmp_path: Path) -> None:
    def broken() -> None:
        raise RuntimeError("this callback is broken")

    with _opened(tmp_path) as feed:
        with _locked(tmp_path):
            feed.publish("events", make_records(1)).add_done_callback(broken)
            others = [feed.publish("events", make_records(1)) for _ in range(5)]

        assert all(ticket.wait(timeout_s=PATIENCE_S) for ticket in others)
        publish(feed, "events", make_records(1))


def test_append_times_stand_still_while_the_clock_goes_back(tmp_path: Path) -> None:
    times = iter([5_000, 1_000, 1_001, 9_000])
    with _opened(tmp_path, Clock(now_ms=lambda: next(times))) as feed:
        for _ in range(4):
            publish(feed, "events", [OutgoingRecord(b"one partition", b"")])

        found = read(feed.reader("events", from_end=False), 4)

    assert [record.appended_at_ms for record in found] == [5_000, 5_000, 5_000, 9_000]


def test_records_beyond_one_transaction_and_one_chunk_are_written_in_order(tmp_path: Path) -> None:
    with _opened(tmp_path) as feed:
        lots = [make_records(40, size=100_000) for _ in range(6)]
        with _locked(tmp_path):
            tickets = [feed.publish("events", records) for records in lots]

        expected = []
        for records, ticket in zip(lots, tickets, strict=True):
            expected += ticketed(records, logged(ticket))
        assert places(read(feed.reader("events", from_end=False), 240)) == sorted(expected)


def test_closing_does_not_wait_for_a_file_that_stays_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    with _opened(tmp_path) as feed, _locked(tmp_path):
        tickets = [feed.publish("events", make_records(3)) for _ in range(5)]

        feed.close()

        assert all(ticket.is_settled() for ticket in tickets)


def test_publishing_from_many_threads_starts_one_writer(tmp_path: Path) -> None:
    with _opened(tmp_path) as feed:
        barrier, before = threading.Barrier(8), set(threading.enumerate())

        def send() -> None:
            barrier.wait()
            publish(feed, "events", make_records(1))

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        writers = {thread for thread in threading.enumerate() if thread.name == "feed-writer"}
        assert len(writers - before) == 1

"""Retention runs by itself while a worker does, and a failure does not end it."""

import logging
import threading
from pathlib import Path

import pytest

from feed.adapters.embedded import open_feed
from feed.upkeep import trimming
from tests.contract.feed_driver import make_records, publish, wait_until


def test_old_records_go_while_a_worker_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    feed = open_feed("embedded:", {"changes_retention_hours": "0"}, tmp_path)
    feed.ensure_topics()
    publish(feed, "changes", make_records(40))

    with caplog.at_level(logging.INFO), trimming(feed, every_s=0.01):
        wait_until(lambda: all(b.start == b.end for b in feed.bounds("changes").values()))

    assert "records trimmed" in caplog.text
    feed.close()


def test_a_failure_is_logged_and_the_next_round_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    feed = open_feed("embedded:", {"changes_retention_hours": "0"}, tmp_path)

    with caplog.at_level(logging.INFO), trimming(feed, every_s=0.01):
        wait_until(lambda: "retention failed" in caplog.text)
        feed.ensure_topics()
        publish(feed, "changes", make_records(40))
        wait_until(lambda: "records trimmed" in caplog.text)

    feed.close()


def test_the_thread_ends_with_the_block(tmp_path: Path) -> None:
    feed = open_feed("embedded:", {}, tmp_path)

    with trimming(feed):
        assert "feed-trim" in {thread.name for thread in threading.enumerate()}

    assert "feed-trim" not in {thread.name for thread in threading.enumerate()}
    feed.close()

"""Making, growing and refusing topics; what happens while their files are missing."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feed.adapters.embedded import EmbeddedFeed, open_feed
from feed.adapters.embedded.files import GROUPS_FILE, topic_path
from feed.errors import FeedUnavailable, UnsafeTopic
from feed.ports import OutgoingRecord, TopicPartition
from feed.sqlite import open_file
from feed.ticket import Logged
from tests.contract.feed_driver import GroupMember, make_records, places, publish, receive, ticketed

PATIENCE_S = 60.0


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[EmbeddedFeed]:
    feed = open_feed("embedded:", {}, tmp_path)
    yield feed
    feed.close()


def _with_partitions(tmp_path: Path, count: int) -> EmbeddedFeed:
    return open_feed("embedded:", {"partitions": str(count)}, tmp_path)


def test_making_topics_says_each_once(feed: EmbeddedFeed) -> None:
    made = feed.ensure_topics()

    assert len(made) == 4
    assert "topic events was made with 4 partitions" in made
    assert feed.ensure_topics() == []


def test_more_partitions_are_added_and_nothing_moves(feed: EmbeddedFeed, tmp_path: Path) -> None:
    feed.ensure_topics()
    records = make_records(40)
    outcomes = publish(feed, "events", records)

    grown = _with_partitions(tmp_path, 6)

    assert "topic events grew from 4 to 6 partitions" in grown.ensure_topics()
    later = make_records(60)
    later_outcomes = publish(feed, "events", later)
    assert max(outcome.partition for outcome in later_outcomes) == 5
    found = receive(GroupMember(grown, "g", "events"), 100)
    assert places(found) == sorted(ticketed(records, outcomes) + ticketed(later, later_outcomes))
    grown.close()


def test_a_running_group_and_a_running_reader_see_new_partitions(
    feed: EmbeddedFeed, tmp_path: Path
) -> None:
    feed.ensure_topics()
    member, reader = GroupMember(feed, "g", "events"), feed.reader("events")
    member.poll()

    with_more = _with_partitions(tmp_path, 6)
    with_more.ensure_topics()
    publish(with_more, "events", make_records(60))

    receive(member, 60)
    assert len(member.consumer.assignment()) == 6
    assert len(reader.poll(100, timeout_s=PATIENCE_S)) == 60
    with_more.close()


def test_fewer_partitions_are_refused_with_the_reason(feed: EmbeddedFeed, tmp_path: Path) -> None:
    feed.ensure_topics()

    with pytest.raises(UnsafeTopic, match="has 4 partitions and 2 are asked for"):
        _with_partitions(tmp_path, 2).ensure_topics()


def test_a_file_of_a_newer_format_is_refused(feed: EmbeddedFeed, tmp_path: Path) -> None:
    feed.ensure_topics()
    connection = open_file(topic_path(tmp_path / "feed", "history"))
    connection.execute("PRAGMA user_version = 9")
    connection.close()

    with pytest.raises(UnsafeTopic, match="topic history has format 9"):
        feed.ensure_topics()


def test_a_file_that_is_no_database_is_unavailable(feed: EmbeddedFeed, tmp_path: Path) -> None:
    topic_path(tmp_path / "feed", "events").parent.mkdir()
    topic_path(tmp_path / "feed", "events").write_bytes(b"not a database " * 100)

    with pytest.raises(FeedUnavailable, match="NotADBError"):
        feed.ensure_topics()


def test_before_topics_are_made_every_call_says_what_to_run(feed: EmbeddedFeed) -> None:
    for call in (
        lambda: feed.ping(timeout_s=1.0),
        lambda: feed.bounds("events"),
        lambda: feed.committed("g", "events"),
        lambda: feed.reader("events"),
        lambda: feed.trim(),
        lambda: GroupMember(feed, "g", "events").poll(),
    ):
        with pytest.raises(FeedUnavailable, match="run manage.py ensure_engines"):
            call()


def test_records_for_a_missing_topic_fail_and_later_ones_are_logged(feed: EmbeddedFeed) -> None:
    ticket = feed.publish("events", [OutgoingRecord(b"k", b"v")])

    assert ticket.wait(timeout_s=PATIENCE_S)
    assert isinstance(ticket.outcomes()[0], FeedUnavailable)
    feed.ensure_topics()
    again = feed.publish("events", [OutgoingRecord(b"k", b"v")])
    assert again.wait(timeout_s=PATIENCE_S)
    assert isinstance(again.outcomes()[0], Logged)


def test_a_ping_of_a_working_feed_is_silent(feed: EmbeddedFeed) -> None:
    feed.ensure_topics()

    feed.ping(timeout_s=PATIENCE_S)


def _ping_until(done: Callable[[], bool], feed: EmbeddedFeed) -> None:
    while not done():
        feed.ping(timeout_s=0.01)


def test_a_ping_gives_up_while_another_thread_holds_the_handle(
    feed: EmbeddedFeed, tmp_path: Path
) -> None:
    feed.ensure_topics()
    connection = open_file(tmp_path / "feed" / GROUPS_FILE)
    connection.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        # Waits for the groups' file, and holds the handle's connections meanwhile.
        slow = pool.submit(feed.set_committed, "g", {TopicPartition("events", 0): 0})
        with pytest.raises(FeedUnavailable, match="did not answer"):
            _ping_until(slow.done, feed)
        connection.close()
    slow.result()

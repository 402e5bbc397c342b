"""No Kafka at the address: everything says so in time, in plain words, and nothing hangs."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from feed.adapters.kafka import open_feed
from feed.errors import FeedUnavailable
from feed.ports import Feed, TopicPartition
from tests.contract.feed_driver import PATIENCE_S, GroupMember, make_records, wait_until
from tests.stack import free_port


@pytest.fixture
def feed() -> Iterator[Feed]:
    feed = open_feed(f"kafka://127.0.0.1:{free_port()}", {}, Path())
    yield feed
    feed.close()


def _refuses(feed: Feed) -> bool:
    try:
        feed.publish("events", make_records(1))
    except FeedUnavailable:
        return True
    return False


def test_publishing_is_refused_soon_and_what_was_never_sent_is_given_back(
    feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="feed"):
        ticket = feed.publish("events", make_records(3))

        assert ticket.wait(timeout_s=20)
        wait_until(lambda: _refuses(feed))

    assert all(isinstance(outcome, FeedUnavailable) for outcome in ticket.outcomes())
    assert "does not answer: is it running, and does this port of it" in str(ticket.outcomes()[0])
    assert len(caplog.records) == 1


def test_every_question_says_that_it_does_not_answer(feed: Feed) -> None:
    for ask in (
        lambda: feed.bounds("events"),
        lambda: feed.committed("projector", "events"),
        lambda: feed.members("projector"),
        lambda: feed.has_members("projector"),
        lambda: feed.position_at(TopicPartition("events", 0), 0),
        lambda: feed.reader("events"),
        lambda: feed.ping(timeout_s=1.0),
        feed.ensure_topics,
    ):
        with pytest.raises(FeedUnavailable, match="does not answer: is it running"):
            ask()


def test_a_consumer_says_so_and_closes_at_once(feed: Feed) -> None:
    member = GroupMember(feed, "projector", "events")

    with pytest.raises(FeedUnavailable, match="does not answer"):
        wait_until(lambda: False, polling=[member], within_s=PATIENCE_S)

    member.consumer.close()
    assert member.consumer.assignment() == frozenset()

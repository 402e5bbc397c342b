"""ensure_topics on Kafka: what it makes, what it refuses, and what is said where it was not run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from feed.adapters.kafka import open_feed
from feed.errors import FeedUnavailable, UnsafeTopic
from feed.ports import Feed
from tests.contract.feed_driver import GroupMember, make_records, wait_until
from tests.contract.kafka_topics import QUICK, admin_of, fresh_prefix

Open = Callable[..., Feed]
SAFE = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "2000000"}


@pytest.fixture
def prefix(kafka_url: str) -> Iterator[str]:
    with fresh_prefix(kafka_url) as prefix:
        yield prefix


@pytest.fixture
def opened(kafka_url: str, prefix: str) -> Iterator[Open]:
    with ExitStack() as stack:

        def opened(**options: str) -> Feed:
            feed = open_feed(kafka_url, QUICK | {"prefix": prefix} | options, Path())
            stack.callback(feed.close)
            return feed

        yield opened


@pytest.fixture
def admin(kafka_url: str) -> AdminClient:
    return admin_of(kafka_url)


def _make(admin: AdminClient, name: str, config: dict[str, str]) -> None:
    admin.create_topics([NewTopic(name, 2, 1, config=config)])[name].result(30)
    wait_until(lambda: name in admin.list_topics(timeout=30).topics)


def test_missing_topics_are_made_as_the_options_say(
    opened: Open, admin: AdminClient, prefix: str
) -> None:
    made = opened(changes_retention_hours="2").ensure_topics()

    assert len(made) == 4
    resource = ConfigResource(ConfigResource.Type.TOPIC, f"{prefix}.changes")
    (described,) = admin.describe_configs([resource]).values()
    held = {name: entry.value for name, entry in described.result(30).items()}
    assert held["message.timestamp.type"] == "LogAppendTime"
    assert held["retention.ms"] == str(2 * 3_600_000)
    assert held["cleanup.policy"] == "delete"
    assert held["min.insync.replicas"] == "1"
    assert held["unclean.leader.election.enable"] == "false"


def test_partitions_are_added_and_never_taken_away(opened: Open) -> None:
    opened().ensure_topics()

    grown = opened(partitions="6").ensure_topics()

    assert len(grown) == 4
    assert len(opened().bounds("events")) == 6
    assert opened().ensure_topics() == []


@pytest.mark.parametrize(
    ("config", "mended"),
    [
        ({"message.timestamp.type": "CreateTime"}, "message.timestamp.type=LogAppendTime"),
        ({"cleanup.policy": "compact"}, "cleanup.policy=delete"),
        ({"cleanup.policy": "compact,delete"}, "cleanup.policy=delete"),
        ({"retention.ms": "3600000"}, "retention.ms=604800000"),
        ({"retention.bytes": "1000000"}, "retention.bytes=-1"),
        ({"min.insync.replicas": "2"}, "min.insync.replicas=1"),
        ({"max.message.bytes": "1000"}, "max.message.bytes="),
    ],
)
def test_an_existing_topic_that_would_lose_records_is_refused_with_the_command_that_mends_it(
    opened: Open, admin: AdminClient, prefix: str, config: dict[str, str], mended: str
) -> None:
    _make(admin, f"{prefix}.events", SAFE | config)

    with pytest.raises(UnsafeTopic) as told:
        opened().ensure_topics()

    assert f"--entity-name {prefix}.events --add-config {mended}" in str(told.value)
    assert f"{prefix}.history" not in admin.list_topics(timeout=30).topics


def test_fewer_copies_than_asked_are_refused(opened: Open, admin: AdminClient, prefix: str) -> None:
    _make(admin, f"{prefix}.events", SAFE)

    with pytest.raises(UnsafeTopic, match="1 copies, 3 are asked for"):
        opened(replication="3", min_insync="2").ensure_topics()


def test_a_missing_topic_is_said_with_the_command_that_makes_it_and_works_once_made(
    opened: Open,
) -> None:
    feed = opened()
    ticket = feed.publish("events", make_records(1))
    assert ticket.wait(timeout_s=30)
    (outcome,) = ticket.outcomes()
    assert isinstance(outcome, FeedUnavailable)
    assert "manage.py ensure_engines" in str(outcome)
    member = GroupMember(feed, "projector", "events")
    with pytest.raises(FeedUnavailable, match=r"manage\.py ensure_engines"):
        wait_until(lambda: False, polling=[member])

    feed.ensure_topics()

    again = feed.publish("events", make_records(1))
    assert again.wait(timeout_s=30)
    wait_until(lambda: len(member.consumer.assignment()) == 4, polling=[member])
    member.consumer.close()

"""How long Kafka keeps a record counts from its arrival: an event of a year ago that is replayed
stays on topic history as long as one of today."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from feed.adapters.kafka import open_feed
from feed.event import HOUR_MS
from feed.topics import Topic
from operations.engines.cluster import Cluster
from tests.contract.feed_driver import PATIENCE_S, wait_until
from tests.contract.kafka_topics import QUICK, admin_of

YEAR_MS = 365 * 24 * HOUR_MS
PREFIX = "kept"
OURS, OTHER = f"{PREFIX}.{Topic.HISTORY}", "counts-from-the-producers-time"
LOOKS_S = 2.0
"""Four looks of the broker for something to delete."""


@pytest.fixture
def admin(pruning_kafka: Cluster) -> AdminClient:
    """Of a broker that has both topics, which keep records for an hour."""
    options = QUICK | {"prefix": PREFIX, "partitions": "1", "history_retention_hours": "1"}
    feed = open_feed(pruning_kafka.url, options, Path())
    feed.ensure_topics()
    feed.close()
    made = admin_of(pruning_kafka.url)
    config = {"message.timestamp.type": "CreateTime", "retention.ms": str(HOUR_MS)}
    made.create_topics([NewTopic(OTHER, 1, 1, config=config)])[OTHER].result(PATIENCE_S)
    return made


def test_a_year_old_record_stays_where_its_own_time_would_have_it_deleted(
    pruning_kafka: Cluster, admin: AdminClient
) -> None:
    producer = Producer({"bootstrap.servers": urlsplit(pruning_kafka.url).netloc})
    for topic in (OURS, OTHER):
        producer.produce(topic, b"a record", timestamp=int(time.time() * 1000) - YEAR_MS)
    assert producer.flush(PATIENCE_S) == 0

    wait_until(lambda: first_offset(admin, OTHER) == 1)
    time.sleep(LOOKS_S)

    assert first_offset(admin, OURS) == 0


def first_offset(admin: AdminClient, topic: str) -> int:
    """Of the oldest record that is kept; the end when none is."""
    place = TopicPartition(topic, 0)
    found = admin.list_offsets({place: OffsetSpec.earliest()})[place].result(PATIENCE_S)
    return int(found.offset)

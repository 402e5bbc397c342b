"""The least that emission can cost: rows out of Cassandra by the driver's paging into Kafka by its
Producer, acknowledged. No order, no pace, no checkpoint, no lease."""

import time
from pathlib import Path
from urllib.parse import urlsplit

from confluent_kafka import Producer

from benchmarks import servers
from benchmarks.cassandra_scan import open_store, rows_by_hand
from benchmarks.draining import open_feed
from benchmarks.raw_kafka import SETTINGS
from feed.topics import Topic
from tests.engine_names import KAFKA, corner
from warehouse.adapters.cassandra import CassandraEventStore

FLUSH_S = 60.0
POLL_EVERY = 1_000
QUEUE_RECORDS = 1_000_000
"""More than there are: the queue is never full."""


def emitted_by_hand(warehouse_url: str, project: str) -> float:
    """Events of the project a second, into a topic of its own."""
    store = open_store(warehouse_url)
    try:
        with corner(KAFKA, servers.server(KAFKA)) as feed_url:
            feed = open_feed(feed_url, Path())
            feed.ensure_topics()
            feed.close()
            return _emitted(store, urlsplit(warehouse_url).path.strip("/"), project, feed_url)
    finally:
        store.close()


def _emitted(store: CassandraEventStore, keyspace: str, project: str, feed_url: str) -> float:
    topic = servers.topic_name(feed_url, Topic.HISTORY)
    producer = Producer(
        SETTINGS
        | {
            "bootstrap.servers": urlsplit(feed_url).netloc,
            "queue.buffering.max.messages": QUEUE_RECORDS,
        }
    )
    refused: list[object] = []

    def report(error: object, _: object) -> None:
        if error is not None:
            refused.append(error)

    started, count = time.monotonic(), 0
    for key, record in rows_by_hand(store, keyspace, project):
        producer.produce(topic, record, key, on_delivery=report)
        count += 1
        if count % POLL_EVERY == 0:
            producer.poll(0)
    left = producer.flush(FLUSH_S)
    if left or refused:
        raise RuntimeError(f"{left} of {count} are not acknowledged, {refused[:1]}")
    return count / (time.monotonic() - started)

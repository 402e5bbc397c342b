"""Driver messages as the port's records."""

from collections.abc import Iterable
from typing import Any

from confluent_kafka import Consumer as DriverConsumer
from confluent_kafka import Message as DriverMessage

from feed.adapters.kafka.names import Names
from feed.ports import Record

PIECE_RECORDS = 500
MAX_POLL_BYTES = 16 * 1024 * 1024
"""A poll ends when it has so much, at the next PIECE_RECORDS."""


def take(driver: DriverConsumer, max_records: int, timeout_s: float) -> list[DriverMessage]:
    """What is there; else the first that comes within the time, and what came with it."""
    messages = driver.consume(min(max_records, PIECE_RECORDS), 0)
    if not messages and timeout_s > 0:
        messages = driver.consume(1, timeout_s)
    if not messages:
        return []
    size = sum(map(len, messages))
    while size < MAX_POLL_BYTES and len(messages) < max_records:
        piece = driver.consume(min(max_records - len(messages), PIECE_RECORDS), 0)
        if not piece:
            break
        messages += piece
        size += sum(map(len, piece))
    return messages


def to_records(messages: Iterable[DriverMessage], names: Names) -> list[Record]:
    """Records of messages without an error, in their order."""
    inner: dict[str, str] = {}
    records = []
    for message in messages:
        outer = str(message.topic())
        topic = inner.get(outer) or inner.setdefault(outer, names.inner(outer))
        # Any: the driver's types allow None, which only a message with an error has
        partition: Any = message.partition()
        offset: Any = message.offset()
        headers: Any = message.headers()
        records.append(
            Record(
                topic,
                partition,
                offset,
                message.timestamp()[1],
                message.key() or b"",
                message.value() or b"",
                tuple(headers) if headers else (),
            )
        )
    return records

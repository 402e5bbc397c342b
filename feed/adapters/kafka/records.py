"""Driver messages as the port's records."""

from collections.abc import Iterable

from confluent_kafka import Message as DriverMessage

from feed.adapters.kafka.names import Names
from feed.ports import Record
from feed.slot_builder import compile_builder

_build_record = compile_builder(Record)


def to_records(messages: Iterable[DriverMessage], names: Names) -> list[Record]:
    """Records of messages without an error, in their order."""
    inner: dict[str, str] = {}
    records = []
    for message in messages:
        outer = str(message.topic())
        topic = inner.get(outer) or inner.setdefault(outer, names.inner(outer))
        headers = message.headers()
        records.append(
            _build_record(
                topic,
                message.partition(),
                message.offset(),
                message.timestamp()[1],
                message.key() or b"",
                message.value() or b"",
                tuple(headers) if headers else (),
            )
        )
    return records

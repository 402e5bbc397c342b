"""Reads a whole topic without a group."""

import time
from collections.abc import Sequence

from confluent_kafka import Consumer as DriverConsumer
from confluent_kafka import KafkaError
from confluent_kafka import TopicPartition as DriverPartition

from feed.adapters.kafka.client import Contact, missing, reading_config, unavailable
from feed.adapters.kafka.looking import Looking
from feed.adapters.kafka.names import Names
from feed.adapters.kafka.options import Options
from feed.adapters.kafka.records import take, to_records
from feed.errors import FeedUnavailable
from feed.ports import Record

GROWN_EVERY_S = 10.0
"""How often it looks for partitions that were added."""
_MISSING = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)


class KafkaReader:
    """Implements `feed.ports.FeedReader`."""

    def __init__(
        self, options: Options, names: Names, looking: Looking, topic: str, *, from_end: bool
    ) -> None:
        self._options, self._names, self._looking, self._topic = options, names, looking, topic
        self._contact = Contact(options)
        self._start = [
            self._place(number, bound.end if from_end else bound.start)
            for number, bound in looking.bounds(topic).items()
        ]
        self._driver: DriverConsumer | None = None
        self._count = len(self._start)
        self._looked_s = time.monotonic()
        self._is_closed = False

    def poll(self, max_records: int, *, timeout_s: float) -> Sequence[Record]:
        if self._is_closed:
            raise FeedUnavailable(f"this reader of topic {self._topic} is closed")
        driver = self._driver or self._open()
        self._take_in_new_partitions(driver)
        deadline_s = time.monotonic() + timeout_s
        while True:
            records = self._take(driver, max_records, max(0.0, deadline_s - time.monotonic()))
            if records or time.monotonic() >= deadline_s:
                if not records and self._contact.is_down():
                    self._contact.probe(driver)
                return records

    def _open(self) -> DriverConsumer:
        """What was trimmed unread is skipped."""
        config = reading_config(self._options, self._contact, group="weir-reader")
        self._driver = driver = DriverConsumer(config | {"auto.offset.reset": "earliest"})
        driver.assign(self._start)
        return driver

    def _take(self, driver: DriverConsumer, max_records: int, timeout_s: float) -> list[Record]:
        messages = take(driver, max_records, timeout_s)
        good = [message for message in messages if message.error() is None]
        if good:
            self._contact.note_answer()
        elif messages:
            self._raise_for(messages[0].error())
        return to_records(good, self._names)

    def _raise_for(self, error: KafkaError | None) -> None:
        if error is None or error.retriable():
            return
        if error.code() in _MISSING:
            raise FeedUnavailable(missing(self._options, self._topic))
        raise unavailable(f"cannot read topic {self._topic}", error, self._options, self._contact)

    def _take_in_new_partitions(self, driver: DriverConsumer) -> None:
        if time.monotonic() - self._looked_s < GROWN_EVERY_S:
            return
        self._looked_s = time.monotonic()
        count = self._looking.partition_count(self._topic)
        added = [self._place(number, 0) for number in range(self._count, count)]
        if added:
            driver.incremental_assign(added)
            self._count = count

    def _place(self, partition: int, position: int) -> DriverPartition:
        return DriverPartition(self._names.outer(self._topic), partition, position)

    def close(self) -> None:
        self._is_closed = True
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

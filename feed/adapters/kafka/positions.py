"""Groups' committed positions, read by a consumer of each group's name that never joins it.

Not by the administrative call made for it: on a handle without a group of its own librdkafka 2.16.1
ends the process (a null pointer in `rd_kafka_cgrp_op`) when the broker answers that it is not, or
not yet, the group's coordinator, as it does while one is elected.
"""

import threading
import time
from collections.abc import Sequence

from confluent_kafka import Consumer as DriverConsumer
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as DriverPartition

from feed.adapters.kafka.client import Contact, reading_config
from feed.adapters.kafka.options import Options

RETRY_S = 0.1
PASSING = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.REBALANCE_IN_PROGRESS,
)
"""Over in a moment: a coordinator that moves or loads, a leader being elected."""


class Positions:
    """One consumer a group, made when it is first asked for. Thread-safe."""

    def __init__(self, options: Options, contact: Contact) -> None:
        self._options, self._contact = options, contact
        self._lock = threading.Lock()
        self._asking: dict[str, tuple[threading.Lock, DriverConsumer]] = {}

    def committed(
        self, group: str, places: Sequence[DriverPartition], *, timeout_s: float
    ) -> list[DriverPartition]:
        """The same places with offset and metadata; offset below 0: none. `group` is the broker's
        name for it. Raises KafkaException."""
        lock, driver = self._open(group)
        deadline_s = time.monotonic() + timeout_s
        with lock:
            while True:
                try:
                    found = driver.committed(list(places), timeout_s)
                except KafkaException as exc:
                    error: KafkaError | None = exc.args[0]
                else:
                    error = next((place.error for place in found if place.error), None)
                driver.poll(0)  # what the driver has to tell does not pile up
                if error is None:
                    return found
                if error.code() not in PASSING or time.monotonic() > deadline_s:
                    raise KafkaException(error)
                time.sleep(RETRY_S)

    def close(self) -> None:
        """Free the consumers; idempotent."""
        with self._lock:
            asking, self._asking = self._asking, {}
        for lock, driver in asking.values():
            with lock:
                driver.close()

    def _open(self, group: str) -> tuple[threading.Lock, DriverConsumer]:
        with self._lock:
            if group not in self._asking:
                config = reading_config(self._options, self._contact, group=group)
                self._asking[group] = (threading.Lock(), DriverConsumer(config))
            return self._asking[group]

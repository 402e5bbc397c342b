"""Whose turn it is to wait for Kafka's delivery reports. The driver is real, Kafka is away."""

import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer as DriverProducer

from feed.adapters.kafka import producer as producer_module
from feed.adapters.kafka.names import Names
from feed.adapters.kafka.options import parse_options
from feed.adapters.kafka.producer import LEFT_S, MOST_TAKEN, POLL_S, Producer
from feed.ports import OutgoingRecord
from ingest.acknowledgement import IDLE_S
from tests.contract.feed_driver import wait_until


class NotedDriver(DriverProducer):
    """Notes for how long its thread was ready to wait, each time."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.polled_s: deque[float] = deque(maxlen=3)
        self._maker = threading.get_ident()

    def poll(self, timeout: float = -1) -> int:
        if threading.get_ident() != self._maker:
            self.polled_s.append(timeout)
        return super().poll(timeout)


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Producer]:
    monkeypatch.setattr(producer_module, "DriverProducer", NotedDriver)
    made = Producer(parse_options("kafka://127.0.0.1:1", {}), Names(""))
    yield made
    made.close(timeout_s=5)


def take(producer: Producer) -> bool:
    return producer.take_reports(timeout_s=0)


def polls(producer: Producer) -> list[float]:
    """The polling thread's last three, a moment later."""
    time.sleep(LEFT_S / 20)
    return list(producer.client.polled_s)  # type: ignore[attr-defined]  # a NotedDriver


def waits(producer: Producer) -> bool:
    return polls(producer) == [POLL_S] * 3


def looks_away_while_taken(producer: Producer) -> bool:
    take(producer)
    return polls(producer) == [0] * 3


def test_the_polling_thread_waits_for_reports_unless_another_takes_them(
    producer: Producer,
) -> None:
    wait_until(lambda: waits(producer))
    wait_until(lambda: looks_away_while_taken(producer))
    producer.leave_reports()
    wait_until(lambda: waits(producer))


def test_it_waits_again_when_nobody_has_taken_any_for_a_while(producer: Producer) -> None:
    wait_until(lambda: looks_away_while_taken(producer))
    wait_until(lambda: waits(producer))


def test_very_many_reports_are_for_the_polling_thread_alone(producer: Producer) -> None:
    records = [OutgoingRecord(b"%d" % number, b"") for number in range(MOST_TAKEN + 1)]
    ticket = producer.publish("events", records, len(records))
    polled_s = polls(producer)
    while not ticket.is_settled():  # given back by the polling thread: Kafka is away
        polled_s = polls(producer)
        assert not take(producer) or ticket.is_settled()
    assert set(polled_s) == {POLL_S}


def test_to_wait_for_reports_is_to_wait() -> None:
    """The driver cuts a time limit to whole milliseconds."""
    idle, begun_s = DriverProducer({}), time.monotonic()
    assert idle.poll(IDLE_S) == 0
    assert time.monotonic() - begun_s >= IDLE_S * 0.99

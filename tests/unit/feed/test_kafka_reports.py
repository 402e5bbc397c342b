"""Whose turn it is to wait for Kafka's delivery reports. The driver is real, Kafka is away."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer as DriverProducer

from feed.adapters.kafka import producer as producer_module
from feed.adapters.kafka.names import Names
from feed.adapters.kafka.options import parse_options
from feed.adapters.kafka.producer import LEFT_S, MOST_TAKEN, POLL_S, Producer
from feed.ports import OutgoingRecord
from ingest.acknowledgement import IDLE_S

PATIENCE_S = 60.0


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


def polls(producer: Producer) -> list[float]:
    """The polling thread's last three."""
    return list(producer.client.polled_s)  # type: ignore[attr-defined]  # a NotedDriver


def take(producer: Producer) -> bool:
    return producer.take_reports(timeout_s=0)


def until(is_so: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s, "the polling thread does otherwise"
        meanwhile()
        time.sleep(LEFT_S / 20)


def test_the_polling_thread_waits_for_reports_unless_another_takes_them(
    producer: Producer,
) -> None:
    until(lambda: polls(producer) == [POLL_S] * 3)
    until(lambda: polls(producer) == [0] * 3, lambda: take(producer))
    producer.leave_reports()
    until(lambda: polls(producer) == [POLL_S] * 3)


def test_it_waits_again_when_nobody_has_taken_any_for_a_while(producer: Producer) -> None:
    until(lambda: polls(producer) == [0] * 3, lambda: take(producer))
    until(lambda: polls(producer) == [POLL_S] * 3)


def test_very_many_reports_are_for_the_polling_thread_alone(producer: Producer) -> None:
    records = [OutgoingRecord(b"%d" % number, b"") for number in range(MOST_TAKEN + 1)]
    ticket = producer.publish("events", records, len(records))
    polled_s = polls(producer)
    while not ticket.is_settled():  # given back by the polling thread: Kafka is away
        polled_s = polls(producer)
        assert not take(producer) or ticket.is_settled()
        time.sleep(LEFT_S / 20)
    assert set(polled_s) == {POLL_S}


def test_to_wait_for_reports_is_to_wait() -> None:
    """The driver cuts a time limit to whole milliseconds."""
    idle, begun_s = DriverProducer({}), time.monotonic()
    assert idle.poll(IDLE_S) == 0
    assert time.monotonic() - begun_s >= IDLE_S * 0.99

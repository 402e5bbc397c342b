"""What is said of brokers that do not know what Weir asks: one sentence that says what to do."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from feed.adapters.kafka.client import TESTED_VERSION, Contact, unavailable
from feed.adapters.kafka.names import Names
from feed.adapters.kafka.options import Options, parse_options
from feed.adapters.kafka.producer import Producer
from operations.engines.artifacts import KAFKA

CODES = [KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION]
WHY = "ApiVersion 22 is not known"
SENTENCE = (
    "Kafka at 127.0.0.1:1 does not speak a version of its protocol that Weir needs "
    f"({WHY}): upgrade its brokers; Weir is tested with {TESTED_VERSION}"
)


@pytest.fixture
def options() -> Options:
    """Of an address where nobody listens."""
    return parse_options("kafka://127.0.0.1:1", {})


def test_the_version_named_is_the_one_that_is_run_here() -> None:
    assert KAFKA.name == f"kafka-{TESTED_VERSION}"


@pytest.mark.parametrize("code", CODES)
def test_an_administrative_request_says_so(options: Options, code: int) -> None:
    refusal = KafkaException(KafkaError(code, WHY))

    said = unavailable("cannot list the topics", refusal, options, Contact(options))

    assert str(said) == f"cannot list the topics: {SENTENCE}"


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("is_fatal", [False, True])
def test_a_handle_says_so(options: Options, code: int, is_fatal: bool) -> None:
    contact = Contact(options)

    contact.note_error(KafkaError(code, WHY, fatal=is_fatal))

    assert contact.reason() == SENTENCE
    assert (contact.is_down(), contact.is_broken) == (True, is_fatal)


@pytest.mark.parametrize("code", CODES)
def test_a_record_that_is_refused_says_so(options: Options, code: int) -> None:
    producer = Producer(options, Names(options.prefix))
    try:
        assert str(producer.failure("events", KafkaError(code, WHY))) == SENTENCE
    finally:
        producer.close(timeout_s=5.0)

"""Kafka that demands TLS and a login: every mechanism works, and every refusal is one sentence that
says what to mend."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from feed.adapters.kafka import open_feed
from feed.errors import FeedUnavailable, UnsafeTopic
from feed.ports import Feed
from operations.engines.cluster import Cluster
from tests.contract.feed_driver import (
    PATIENCE_S,
    GroupMember,
    make_records,
    places,
    positions_after,
    publish,
    receive,
    ticketed,
    wait_until,
)
from tests.contract.kafka_topics import QUICK
from tests.contract.refusals import CA, WRONG, Refusal, sentence_of
from tests.engine_fixtures import fresh_name
from tests.servers.secured import MECHANISMS, PASSWORD, USER, SecuredKafka

Open = Callable[..., Feed]
PROTOCOLS = {"secured": "SASL_SSL", "unencrypted": "SASL_PLAINTEXT"}
"""The broker's ports, and what each speaks."""


@pytest.fixture
def ca(secured_kafka: Cluster) -> str:
    assert isinstance(secured_kafka.engine, SecuredKafka)
    return str(secured_kafka.engine.certificate.certificate)


@pytest.fixture
def opened(secured_kafka: Cluster) -> Iterator[Open]:
    place = secured_kafka.layout.places[0]
    with ExitStack() as stack:

        def opened(port: str, *, password: str = PASSWORD, **options: str) -> Feed:
            url = f"kafka://{USER}:{quote(password, safe='')}@{place.host}:{place.ports[port]}"
            feed = open_feed(url, QUICK | options, Path())
            stack.callback(feed.close)
            return feed

        yield opened


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("port", PROTOCOLS)
def test_records_go_in_and_out_with_every_mechanism_with_tls_and_without(
    opened: Open, ca: str, port: str, mechanism: str
) -> None:
    trust = {"ca": ca} if port == "secured" else {}
    feed = opened(
        port,
        security_protocol=PROTOCOLS[port],
        sasl_mechanism=mechanism,
        prefix=fresh_name(),
        **trust,
    )
    assert len(feed.ensure_topics()) == 4
    records = make_records(20)
    outcomes = publish(feed, "events", records)
    member = GroupMember(feed, "projector", "events")

    received = receive(member, len(records))
    member.commit_all()
    member.consumer.close()

    assert places(received) == ticketed(records, outcomes)
    held = {n: each.position for n, each in feed.committed("projector", "events").items()}
    assert held == {place.partition: at for place, at in positions_after(received).items()}
    feed.ping(timeout_s=30)


REFUSALS: Mapping[str, Refusal] = {
    "wrong password by PLAIN": Refusal(
        {"port": "unencrypted", "security_protocol": "SASL_PLAINTEXT", "password": WRONG},
        "refuses user 'weir' with this password (PLAIN): correct user and password",
    ),
    "wrong password by SCRAM over TLS": Refusal(
        {"port": "secured", "sasl_mechanism": "SCRAM-SHA-512", "password": WRONG, "ca": CA},
        "refuses user 'weir' with this password (SCRAM-SHA-512): correct user and password",
    ),
    "a login on a port without": Refusal(
        {"port": "clients", "security_protocol": "SASL_PLAINTEXT"},
        "takes no login by PLAIN on this port: correct sasl_mechanism, security_protocol",
    ),
    "unknown authority": Refusal(
        {"port": "secured"},
        "a certificate that cannot be verified: name the file of the authority",
    ),
    "TLS to a port without": Refusal(
        {"port": "unencrypted", "ca": CA},
        "do not agree on TLS (sasl_ssl://127.0.0.1:",
    ),
    "no TLS to a port with": Refusal(
        {"port": "secured", "security_protocol": "SASL_PLAINTEXT"},
        "does this port of it speak SASL_PLAINTEXT (security_protocol in WEIR_FEED_URL)",
    ),
}


def _publish(feed: Feed) -> None:
    ticket = feed.publish("events", make_records(1))
    assert ticket.wait(timeout_s=PATIENCE_S)
    (outcome,) = ticket.outcomes()
    assert isinstance(outcome, FeedUnavailable)
    raise outcome


def _consume(feed: Feed) -> None:
    member = GroupMember(feed, "projector", "events")
    try:
        wait_until(lambda: False, polling=[member])
    finally:
        member.consumer.close()


ASKED: Sequence[Callable[[Feed], object]] = (
    lambda feed: feed.ensure_topics(),
    lambda feed: feed.ping(timeout_s=2.0),
    lambda feed: feed.bounds("events"),
    _publish,
    _consume,
)


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_says_in_a_sentence_what_to_mend(opened: Open, ca: str, name: str) -> None:
    refusal = REFUSALS[name]
    feed = opened(**refusal.options_with(ca))

    for ask in ASKED:
        sentence = sentence_of(FeedUnavailable, partial(ask, feed), without=(PASSWORD, WRONG))
        assert refusal.said in sentence
        assert "WEIR_FEED_URL" in sentence


def test_a_topic_that_is_missing_or_unsafe_is_said_over_tls_too(opened: Open, ca: str) -> None:
    prefix = fresh_name()
    feed = opened("secured", ca=ca, prefix=prefix)
    for ask in ASKED[1:]:
        sentence = sentence_of(FeedUnavailable, partial(ask, feed), without=(PASSWORD,))
        assert "make it with manage.py ensure_engines" in sentence
    feed.ensure_topics()

    stricter = opened("secured", ca=ca, prefix=prefix, replication="3")

    sentence = sentence_of(UnsafeTopic, stricter.ensure_topics, without=(PASSWORD,))
    assert "add copies with: kafka-reassign-partitions.sh" in sentence

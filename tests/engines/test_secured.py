"""The engines that demand a login let nobody in without one."""

from operations.engines import cql_probe, kafka_probe
from operations.engines.cluster import Cluster
from operations.engines.elasticsearch import Elasticsearch
from tests.servers.secured import MECHANISMS, PASSWORD, USER, SecuredKafka


def test_a_secured_broker_takes_every_mechanism_and_no_stranger(secured_kafka: Cluster) -> None:
    from confluent_kafka.admin import AdminClient

    assert isinstance(secured_kafka.engine, SecuredKafka)
    place = secured_kafka.layout.places[0]
    login: dict[str, str | int | float | bool] = {
        "bootstrap.servers": f"{place.host}:{place.ports['secured']}",
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(secured_kafka.engine.certificate.certificate),
        "sasl.username": USER,
        "sasl.password": PASSWORD,
    }

    for mechanism in MECHANISMS:
        found = AdminClient(login | {"sasl.mechanism": mechanism}).list_topics(timeout=60)
        assert len(found.brokers) == 1
    for port in ("secured", "unencrypted"):
        assert kafka_probe.broker_count(place.host, place.ports[port]) == 0


def test_a_secured_cassandra_answers_nobody_without_a_login(secured_cassandra: Cluster) -> None:
    place = secured_cassandra.layout.places[0]

    address = place.host, place.ports["clients"]
    assert not cql_probe.is_answered(*address, 1)
    assert not cql_probe.is_answered(*address, 1, ("cassandra", "no"))
    assert secured_cassandra.are_answering()


def test_a_secured_elasticsearch_answers_nobody_without_a_login(
    secured_elasticsearch: Cluster,
) -> None:
    assert secured_elasticsearch.are_answering()
    assert not Elasticsearch().answers(secured_elasticsearch.layout.places[0], 1)

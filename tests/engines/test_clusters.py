"""Three nodes of each engine, one of them killed and started again."""

from functools import partial

import pytest

from operations.engines.cluster import Cluster
from operations.engines.node import Node
from tests.stack import wait_until

LIMIT_S = 240.0
pytestmark = pytest.mark.faults


def _lose_and_regain_a_node(cluster: Cluster, number: int) -> None:
    """Kill a node: the others go on answering, and miss it. Start it: all know all again."""
    others = [node for node in cluster.nodes if node != number]

    cluster.kill(number)
    assert cluster.running == others
    for other in others:
        survivor = cluster.nodes[other]
        wait_until(f"node {other} answers", partial(survivor.answers, len(others)), limit_s=LIMIT_S)
        wait_until(f"node {other} misses one", partial(_misses_one, survivor, cluster))

    cluster.start(number)
    wait_until("all answer", cluster.are_answering, limit_s=LIMIT_S)


def _misses_one(survivor: Node, cluster: Cluster) -> bool:
    return not survivor.answers(len(cluster.nodes))


def test_kafka_outlives_the_loss_of_a_broker(kafka_cluster: Cluster) -> None:
    assert kafka_cluster.url.endswith("?replication=3")
    _lose_and_regain_a_node(kafka_cluster, 1)


def test_cassandra_outlives_the_loss_of_a_node(cassandra_cluster: Cluster) -> None:
    port = cassandra_cluster.layout.places[0].ports["clients"]
    assert f"127.0.0.1:{port},127.0.0.2:{port},127.0.0.3:{port}" in cassandra_cluster.url
    _lose_and_regain_a_node(cassandra_cluster, 2)


def test_elasticsearch_outlives_the_loss_of_a_node(elasticsearch_cluster: Cluster) -> None:
    assert elasticsearch_cluster.url.count("127.0.0.1") == 3
    _lose_and_regain_a_node(elasticsearch_cluster, 1)

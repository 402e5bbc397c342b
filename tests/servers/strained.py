"""Engines arranged so that trouble comes soon: one that refuses, one that gives up, one that
deletes, one that is reached through a gate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from operations.engines.cassandra import Cassandra
from operations.engines.elasticsearch import Elasticsearch
from operations.engines.kafka import Kafka
from operations.engines.layout import Layout, Place


@dataclass
class GatedKafka(Kafka):
    """A broker whose port `gated` tells clients to come through a port of loopback: a gate's. All
    that they say to it goes through there, not their first words alone."""

    port_names: ClassVar[Sequence[str]] = ("clients", "controller", "gated")
    gate_port: int = field(kw_only=True)

    def properties(self, place: Place, layout: Layout) -> dict[str, str]:
        """A plain broker's, and more."""
        plain = super().properties(place, layout)
        protocols = "listener.security.protocol.map"
        return plain | {
            "listeners": f"{plain['listeners']},GATED://{place.host}:{place.ports['gated']}",
            "advertised.listeners": (
                f"PLAINTEXT://{place.host}:{place.ports['clients']},"
                f"GATED://127.0.0.1:{self.gate_port}"
            ),
            protocols: f"{plain[protocols]},GATED:PLAINTEXT",
        }


class PruningKafka(Kafka):
    """A broker that deletes what is past its retention in half a second, not minutes."""

    def properties(self, place: Place, layout: Layout) -> dict[str, str]:
        """A plain broker's, and more."""
        return super().properties(place, layout) | {
            "log.retention.check.interval.ms": "500",
            "log.initial.task.delay.ms": "500",
        }


class ImpatientCassandra(Cassandra):
    """A node that gives up a write after half a second, and says so."""

    def configuration(self, place: Place, layout: Layout) -> dict[str, str]:
        """A plain node's, and more."""
        return super().configuration(place, layout) | {"write_request_timeout": "500ms"}


class CrowdedElasticsearch(Elasticsearch):
    """A node that does one write at a time, lets one more wait, and refuses the others: some
    documents of a request get in, some do not."""

    def configuration(self, place: Place, layout: Layout) -> dict[str, str]:
        """A plain node's, and more."""
        return super().configuration(place, layout) | {
            "thread_pool.write.size": "1",
            "thread_pool.write.queue_size": "1",
        }

"""Kafka as one broker, or as several that are each broker and controller."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid5

from operations.engines import artifacts, kafka_probe
from operations.engines.artifacts import Supplies
from operations.engines.engine import Launch
from operations.engines.jdks import JDK_17
from operations.engines.layout import Layout, Place

_CLUSTERS = UUID("6f1f2d2c-54b1-4c53-9a45-1f1ff5f3a1ce")  # any; names made from it are stable


class Kafka:
    """See the protocol Engine."""

    name: ClassVar[str] = "kafka"
    title: ClassVar[str] = "Kafka 4.2.0"
    setting: ClassVar[str] = "WEIR_FEED_URL"
    port_names: ClassVar[Sequence[str]] = ("clients", "controller")
    usual_port: ClassVar[int] = 9092
    starts_one_by_one: ClassVar[bool] = False
    # The last of several brokers to stop waits minutes for controllers that are gone already.
    stop_limit_s: ClassVar[float] = 20.0
    heap_mb: ClassVar[int] = 512

    def hosts(self, count: int) -> list[str]:
        """All on one address."""
        return ["127.0.0.1"] * count

    def acquire(self, supplies: Supplies) -> None:
        """Jars and a JDK 17."""
        supplies.jdk(JDK_17)
        supplies.server(artifacts.KAFKA)

    def launch(self, place: Place, layout: Layout, supplies: Supplies) -> Launch:
        """Formatting the data folder, which does nothing the second time, and the broker."""
        folder = place.folder
        config = folder / "server.properties"
        properties = self.properties(place, layout)
        config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        java = str(supplies.jdk(JDK_17).java)
        jars = f"{supplies.server(artifacts.KAFKA)}/*"
        logging = ("-Dorg.slf4j.simpleLogger.showDateTime=true",)
        base = [java, *logging, "-XX:+ExitOnOutOfMemoryError", "-cp", jars]
        # The cluster's id must be the same for all its nodes and every start.
        cluster_id = uuid5(_CLUSTERS, str(layout.folder)).hex[:22]
        formatting = [
            *(*base, "kafka.tools.StorageTool", "format", "--ignore-formatted"),
            *("-t", cluster_id, "-c", str(config), *self.format_arguments()),
        ]
        heap = f"-Xmx{self.heap_mb}m"
        broker = [base[0], heap, "-XX:+UseG1GC", *base[1:], "kafka.Kafka", str(config)]
        is_formatted = (data_folder(place) / "meta.properties").exists()
        return Launch([broker] if is_formatted else [formatting, broker], {})

    def properties(self, place: Place, layout: Layout) -> dict[str, str]:
        """The node's configuration."""
        count = len(layout.places)
        replicas = str(min(3, count))
        voters = ",".join(
            f"{other.number}@{other.host}:{other.ports['controller']}" for other in layout.places
        )
        return {
            "process.roles": "broker,controller",
            "node.id": str(place.number),
            "controller.quorum.voters": voters,
            "listeners": (
                f"PLAINTEXT://{place.host}:{place.ports['clients']},"
                f"CONTROLLER://{place.host}:{place.ports['controller']}"
            ),
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(data_folder(place)),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "8",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.min.isr": "1" if count == 1 else "2",
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": "1",
            "num.network.threads": "2",
            "num.io.threads": "4",
        }

    def format_arguments(self) -> list[str]:
        """More arguments of the first formatting."""
        return []

    def answers(self, place: Place, member_count: int) -> bool:
        """A metadata request finds that many brokers and a controller."""
        return kafka_probe.broker_count(place.host, place.ports["clients"]) >= member_count

    def url(self, layout: Layout) -> str:
        """Every broker."""
        count = len(layout.places)
        return f"kafka://{layout.address('clients')}" + (f"?replication={count}" * (count > 1))


def data_folder(place: Place) -> Path:
    """Where a broker keeps its records."""
    return place.folder / "data"

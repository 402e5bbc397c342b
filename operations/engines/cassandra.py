"""Cassandra as one node, or as a ring on 127.0.0.1, 127.0.0.2 and so on."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from operations.engines import artifacts, cql_probe
from operations.engines.artifacts import Supplies
from operations.engines.engine import Launch
from operations.engines.jdks import JDK_17
from operations.engines.layout import Layout, Place

_JVM_OPTIONS = Path(__file__).with_name("cassandra-jvm.options")
_LOGBACK = """<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %logger{20} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
"""


class Cassandra:
    """See the protocol Engine."""

    name: ClassVar[str] = "cassandra"
    title: ClassVar[str] = "Cassandra 5.0.5"
    setting: ClassVar[str] = "WEIR_WAREHOUSE_URL"
    port_names: ClassVar[Sequence[str]] = ("clients", "peers")
    usual_port: ClassVar[int] = 9042
    starts_one_by_one: ClassVar[bool] = True  # two that join at once may not see each other
    stop_limit_s: ClassVar[float] = 60.0
    heap_mb: ClassVar[int] = 1024
    heap_of_several_mb: ClassVar[int] = 640
    ring_delay_ms: ClassVar[int] = 5000  # a node that joins waits so long for a word from the first

    def hosts(self, count: int) -> list[str]:
        """An address each: Cassandra knows a node by its address alone."""
        return [f"127.0.0.{number}" for number in range(1, count + 1)]

    def acquire(self, supplies: Supplies) -> None:
        """Jars and a JDK 17."""
        supplies.jdk(JDK_17)
        supplies.server(artifacts.CASSANDRA)

    def launch(self, place: Place, layout: Layout, supplies: Supplies) -> Launch:
        """The daemon in the foreground."""
        folder = place.folder
        conf = folder / "conf"
        for path in (conf, folder / "tmp"):
            path.mkdir(exist_ok=True)
        supplies.hand_over(folder / "tmp")
        lines = (f"{key}: {value}\n" for key, value in self.configuration(place, layout).items())
        (conf / "cassandra.yaml").write_text("".join(lines))
        (conf / "logback.xml").write_text(_LOGBACK)
        jars = supplies.server(artifacts.CASSANDRA)
        (agent,) = jars.glob("jamm-*.jar")
        heap = self.heap_mb if len(layout.places) == 1 else self.heap_of_several_mb
        command = [
            str(supplies.jdk(JDK_17).java),
            *(f"-Xms{heap}m", f"-Xmx{heap}m", "-XX:+ExitOnOutOfMemoryError"),
            *_JVM_OPTIONS.read_text().split(),
            f"-javaagent:{agent}",
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            f"-Dcassandra.config=file://{conf / 'cassandra.yaml'}",
            f"-Dcassandra.storagedir={folder}",
            *("-Dcassandra-foreground=yes", "-Dcassandra.skip_wait_for_gossip_to_settle=0"),
            f"-Dcassandra.ring_delay_ms={self.ring_delay_ms if place.number > 1 else 0}",
            "-Dcassandra.superuser_setup_delay_ms=0",
            *("-cp", f"{conf}:{jars}/*", "org.apache.cassandra.service.CassandraDaemon"),
        ]
        return Launch([command], {})

    def configuration(self, place: Place, layout: Layout) -> dict[str, str]:
        """The node's yaml, a line each."""
        folder, first = place.folder, layout.places[0]
        seeds = f"{first.host}:{first.ports['peers']}"
        return {
            "cluster_name": "weir",
            "num_tokens": "16",
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "auto_bootstrap": "false",
            "commitlog_sync": "periodic",
            "commitlog_sync_period": "10000ms",
            "commitlog_total_space": "1024MiB",
            "data_file_directories": f"['{folder / 'data'}']",
            "commitlog_directory": f"'{folder / 'commitlog'}'",
            "saved_caches_directory": f"'{folder / 'saved_caches'}'",
            "hints_directory": f"'{folder / 'hints'}'",
            "cdc_raw_directory": f"'{folder / 'cdc_raw'}'",
            "listen_address": place.host,
            "rpc_address": place.host,
            "native_transport_port": str(place.ports["clients"]),
            "storage_port": str(place.ports["peers"]),
            "endpoint_snitch": "SimpleSnitch",
            "seed_provider": (
                "[{class_name: org.apache.cassandra.locator.SimpleSeedProvider, "
                f'parameters: [{{seeds: "{seeds}"}}]}}]'
            ),
        }

    def answers(self, place: Place, member_count: int) -> bool:
        """That many members answer a query together."""
        return cql_probe.is_answered(place.host, place.ports["clients"], member_count)

    def url(self, layout: Layout) -> str:
        """Every node with its port: a host without one would be taken to listen at 9042."""
        count = len(layout.places)
        return f"cassandra://{layout.address('clients')}" + (f"?replication={count}" * (count > 1))

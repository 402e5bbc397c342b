"""Real engines for one test run: started in parallel, once, on free ports, gone with the run
however it ends."""

import os
import shutil
import sys
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

from operations.engines.artifacts import Supplies
from operations.engines.cassandra import Cassandra
from operations.engines.cluster import Cluster, engine_folder
from operations.engines.elasticsearch import Elasticsearch
from operations.engines.engine import Engine
from operations.engines.kafka import Kafka
from operations.engines.layout import PortWish
from operations.engines.places import cache_folder, engines_account
from tests.run_folder import make_run_folder

PREFIX = "weir-test-engines-"
KINDS: dict[str, type[Engine]] = {
    "kafka": Kafka,
    "cassandra": Cassandra,
    "elasticsearch": Elasticsearch,
}


@cache
def supplies() -> Supplies:
    """Servers and JDKs of this machine."""
    account = engines_account()
    environment = dict(os.environ)
    return Supplies(cache_folder(environment, account), environment, account, _say)


class RunningEngines:
    """Starts engines when they are first asked for, those that the run will need all at once.

    Every process of them is bound to this one: nothing is left when it is killed.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._pool = ThreadPoolExecutor(thread_name_prefix="engines")
        self._clusters: list[Cluster] = []
        self._starting: dict[str, Future[Cluster]] = {}
        self._made_count = 0

    def begin(self, names: Iterable[str]) -> None:
        """Start one node of each kind, without waiting."""
        for name in names:
            if name not in self._starting:
                cluster = self._lay_out(KINDS[name](), 1)
                self._starting[name] = self._pool.submit(self._started, cluster)

    def url(self, name: str) -> str:
        """The address of a single node of this kind, once it answers. Raises EnginesError."""
        self.begin([name])
        return self._starting[name].result().url

    def cluster(self, engine: Engine, count: int = 1) -> Cluster:
        """A cluster of its own, started and answering; `end` it when it is no longer needed. Raises
        EnginesError."""
        cluster = self._lay_out(engine, count)
        try:
            return self._started(cluster)
        except BaseException:
            cluster.kill_all()
            raise

    def end(self, cluster: Cluster) -> None:
        """SIGKILL to a cluster; its files go too."""
        cluster.give_up()
        cluster.kill_all()
        shutil.rmtree(cluster.layout.folder, ignore_errors=True)

    def end_all(self) -> None:
        """SIGKILL to all; their files go too."""
        for cluster in self._clusters:
            cluster.give_up()
        self._pool.shutdown(cancel_futures=True)
        for cluster in self._clusters:
            self.end(cluster)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _lay_out(self, engine: Engine, count: int) -> Cluster:
        engine.acquire(supplies())
        self._made_count += 1
        folder = engine_folder(self._own_folder(), f"{engine.name}-{self._made_count}", count)
        made = Cluster.laid_out(engine, folder, supplies(), count=count, wish=PortWish())
        self._clusters.append(made)
        return made

    def _started(self, cluster: Cluster) -> Cluster:
        cluster.start_all()
        return cluster

    def _own_folder(self) -> Path:
        """Open to the engines' user, unlike pytest's own."""
        if self._folder is None:
            self._folder = make_run_folder(PREFIX)
            self._folder.chmod(0o755)
        return self._folder


def _say(sentence: str) -> None:
    print(f"engines: {sentence}", file=sys.__stderr__, flush=True)  # noqa: T201

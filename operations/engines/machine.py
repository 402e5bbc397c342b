"""The engines of one data folder on this machine: what `manage.py engines` starts, finds and
stops."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from operations.engines.artifacts import Supplies
from operations.engines.cassandra import Cassandra
from operations.engines.cluster import Cluster, engine_folder
from operations.engines.elasticsearch import Elasticsearch
from operations.engines.engine import Engine
from operations.engines.errors import EngineDied, EnginesError, EnginesUnknown
from operations.engines.kafka import Kafka
from operations.engines.layout import PortWish
from operations.engines.places import locked, make_folder

ENGINES: Mapping[str, type[Engine]] = {
    "kafka": Kafka,
    "cassandra": Cassandra,
    "elasticsearch": Elasticsearch,
}
SIZES = (1, 3)


@dataclass(frozen=True)
class Condition:
    """How one engine is now."""

    name: str
    state: str
    """running, starting (it lives and does not answer yet), partial (some nodes live), stopped."""
    node_count: int
    url: str | None
    folder: str | None


class Machine:
    """All engines of one folder. Nothing is read or started by the constructor."""

    def __init__(self, folder: Path, supplies: Supplies) -> None:
        self.folder, self._supplies = folder, supplies

    def up(self, names: Sequence[str], count: int, ports: Mapping[str, int | None]) -> list[str]:
        """Start what does not run, wait until all answer, and hand them over: from then on they
        live on by themselves. The lines that set their addresses. Raises EnginesError; then
        nothing that this call started is left."""
        with self._locked() as lock:
            self._refuse_other_size(names, count)
            for name in names:
                ENGINES[name]().acquire(self._supplies)
            clusters = [self._laid_out(name, count, ports.get(name)) for name in names]
            self._start(clusters, lock)
            for cluster in clusters:
                cluster.keep()
        return [f"export {each.engine.setting}={_quoted(each.url)}" for each in clusters]

    def down(self, names: Sequence[str], *, delete_data: bool) -> None:
        """Stop what runs, all at once; delete what they keep, if told so. Raises EnginesError."""
        if not self.folder.is_dir():
            return
        with self._locked():
            clusters = list(self._found(names))
            with ThreadPoolExecutor(max_workers=16) as pool:
                list(pool.map(self._stop, clusters))
            for cluster in clusters if delete_data else ():
                try:
                    rmtree(cluster.layout.folder)
                except OSError as exc:
                    raise EnginesError(
                        f"{cluster.layout.folder} cannot be deleted: {exc.strerror}"
                    ) from exc

    def conditions(self) -> list[Condition]:
        """How each engine is. Raises EnginesUnknown."""
        return [self._condition(name) for name in ENGINES]

    @contextmanager
    def _locked(self) -> Iterator[int]:
        make_folder(self.folder)
        waiting = "another engines command works on the same engines: waiting for it"
        with locked(self.folder / "lock", waiting, self._supplies.say) as lock:
            yield lock

    def _refuse_other_size(self, names: Sequence[str], count: int) -> None:
        for cluster in self._found(names):
            found = len(cluster.nodes)
            if found != count and cluster.running:
                raise EnginesError(
                    f"{cluster.engine.name} runs with {found} node{'s' * (found > 1)} and not "
                    f"{count}: stop it first with manage.py engines down --only "
                    f"{cluster.engine.name}"
                )

    def _laid_out(self, name: str, count: int, port: int | None) -> Cluster:
        engine = ENGINES[name]()
        folder = engine_folder(self.folder, name, count)
        found = Cluster.found(engine, folder, self._supplies)
        if found is not None and found.running:
            self._refuse_other_port(found, port)
            return found
        wish = PortWish(port, engine.usual_port, f"--{name}-port")
        return Cluster.laid_out(engine, folder, self._supplies, count=count, wish=wish)

    def _refuse_other_port(self, found: Cluster, port: int | None) -> None:
        runs_at = found.layout.places[0].ports[found.engine.port_names[0]]
        if port not in (None, runs_at):
            name = found.engine.name
            raise EnginesError(
                f"{name} runs at port {runs_at} and not {port}: stop it first with manage.py "
                f"engines down --only {name}"
            )

    def _start(self, clusters: Sequence[Cluster], lock: int) -> None:
        with ThreadPoolExecutor(max_workers=len(clusters)) as pool:
            try:
                list(pool.map(lambda cluster: self._bring_up(cluster, clusters, lock), clusters))
            except BaseException:
                for cluster in clusters:
                    cluster.give_up()
                raise

    def _bring_up(self, cluster: Cluster, all_of_them: Sequence[Cluster], lock: int) -> None:
        if len(cluster.running) < len(cluster.nodes):
            self._supplies.say(f"starting {cluster.engine.title}")
        try:
            cluster.start_all(lock)
        except EnginesError:
            for other in all_of_them:
                other.give_up()
            raise
        self._supplies.say(f"{cluster.engine.title} answers")

    def _found(self, names: Sequence[str]) -> Iterator[Cluster]:
        for name in names:
            for count in SIZES:
                folder = engine_folder(self.folder, name, count)
                cluster = Cluster.found(ENGINES[name](), folder, self._supplies)
                if cluster is not None:
                    yield cluster

    def _stop(self, cluster: Cluster) -> None:
        if not cluster.running:
            return
        self._supplies.say(f"stopping {cluster.engine.title}")
        with ThreadPoolExecutor(max_workers=len(cluster.nodes)) as pool:
            ended = list(pool.map(lambda node: node.stop(), cluster.nodes.values()))
        if not all(ended):
            self._supplies.say(
                f"{cluster.engine.title} did not stop within {cluster.engine.stop_limit_s:g} s: "
                "killed; its log makes good for it at the next start"
            )

    def _condition(self, name: str) -> Condition:
        clusters = list(self._found([name]))
        for cluster in clusters:
            running, count = len(cluster.running), len(cluster.nodes)
            if running:
                state = _state(cluster) if running == count else "partial"
                return Condition(name, state, running, cluster.url, str(cluster.layout.folder))
        return Condition(name, "stopped", 0, None, None)


def make_machine(folder: Path, supplies: Supplies) -> Machine:
    """The engines of a folder. Raises EnginesUnknown when it may not be read."""
    try:
        if folder.exists():
            list(folder.iterdir())
    except OSError as exc:
        raise EnginesUnknown(f"{folder} cannot be read: {exc.strerror}") from exc
    return Machine(folder, supplies)


def _state(cluster: Cluster) -> str:
    try:
        return "running" if cluster.are_answering() else "starting"
    except EngineDied:
        return "partial"


def _quoted(text: str) -> str:
    """In quotes for a POSIX shell, also where none are needed."""
    plain = shlex.quote(text)
    return plain if plain.startswith("'") else f"'{plain}'"

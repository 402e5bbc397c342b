"""All nodes of one engine: the same few words for tests, which kill single nodes, and for the
command."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from operations.engines.artifacts import Supplies
from operations.engines.engine import Engine
from operations.engines.errors import EnginesError, NotAnswering
from operations.engines.layout import (
    Layout,
    Place,
    PortWish,
    choose_ports,
    read_layout,
    write_layout,
)
from operations.engines.node import Node

START_LIMIT_S = 240.0
_POLL_S = 0.1


def engine_folder(folder: Path, name: str, count: int) -> Path:
    """Where an engine of that many nodes keeps its files: each size has data of its own."""
    return folder / f"{name}-{count}"


class Cluster:
    """The nodes of one engine, numbered from 1. Nothing is read or started by the constructor."""

    def __init__(self, engine: Engine, layout: Layout, supplies: Supplies) -> None:
        self.engine, self.layout = engine, layout
        self._supplies = supplies
        self.nodes = {place.number: Node(engine, place, layout) for place in layout.places}
        self._given_up = threading.Event()

    @classmethod
    def found(cls, engine: Engine, folder: Path, supplies: Supplies) -> "Cluster | None":
        """The one whose layout the folder keeps. Raises EnginesUnknown."""
        layout = read_layout(folder)
        return None if layout is None else cls(engine, layout, supplies)

    @classmethod
    def laid_out(
        cls, engine: Engine, folder: Path, supplies: Supplies, *, count: int, wish: PortWish
    ) -> "Cluster":
        """One that is to start in the folder: ports are chosen and kept. Raises EnginesError."""
        hosts = engine.hosts(count)
        ports = choose_ports(hosts, engine.port_names, wish, read_layout(folder))
        if len(set(hosts)) > 1:
            # One port everywhere: clients and peers take it as given.
            ports = [ports[0]] * count
        places = tuple(
            Place(number, folder / str(number), host, own)
            for number, (host, own) in enumerate(zip(hosts, ports, strict=True), start=1)
        )
        layout = Layout(engine.name, folder, places)
        write_layout(layout, supplies.account)
        return cls(engine, layout, supplies)

    @property
    def url(self) -> str:
        """The value of the engine's setting."""
        return self.engine.url(self.layout)

    @property
    def running(self) -> list[int]:
        """The numbers of the nodes that live. Raises EnginesUnknown."""
        return [number for number, node in self.nodes.items() if node.is_running()]

    def start_all(self, lock: int | None = None) -> None:
        """Start every node that does not run, and wait until all answer. Raises EnginesError;
        `give_up` from another thread ends the wait."""
        numbers = list(self.nodes)
        if self.engine.starts_one_by_one:
            for number in numbers:
                self.nodes[number].start(self._supplies, lock)
                self._wait([number], member_count=number)
        else:
            for number in numbers:
                self.nodes[number].start(self._supplies, lock)
        self._wait(numbers, member_count=len(numbers))

    def start(self, number: int) -> None:
        """Start one node, and wait until it and the others that live answer, and know each other.
        Raises EnginesError."""
        self.nodes[number].start(self._supplies)
        living = self.running
        self._wait(living, member_count=len(living))

    def stop(self, number: int) -> None:
        """Stop one node cleanly."""
        self.nodes[number].stop()

    def kill(self, number: int) -> None:
        """SIGKILL to one node, and wait for its end."""
        self.nodes[number].kill()

    def kill_all(self) -> None:
        """SIGKILL to all."""
        for node in self.nodes.values():
            node.kill()

    def keep(self) -> None:
        """From now on the nodes live on when this process ends."""
        for node in self.nodes.values():
            node.keep()

    def give_up(self) -> None:
        """Whoever waits for a node of it waits no longer."""
        self._given_up.set()

    def are_answering(self) -> bool:
        """Whether every node answers now. Raises EngineDied."""
        return all(node.answers(len(self.nodes)) for node in self.nodes.values())

    def _wait(self, numbers: Sequence[int], member_count: int) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        waiting = [self.nodes[number] for number in numbers]
        while True:
            waiting = [node for node in waiting if not node.answers(member_count)]
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise NotAnswering(
                    f"{self.engine.title} does not answer after {START_LIMIT_S:.0f} s: its log is "
                    f"{waiting[0].log}"
                )
            if self._given_up.wait(_POLL_S):
                raise EnginesError(f"{self.engine.title}: given up")

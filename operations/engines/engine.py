"""What the three engines have in common, as a type: each says how its nodes are configured,
started and asked, and knows nothing of processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from operations.engines.artifacts import Supplies
from operations.engines.layout import Layout, Place


@dataclass(frozen=True)
class Launch:
    """How a node becomes a process: commands that run to their end first, then the server."""

    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]


class Engine(Protocol):
    """One kind of server."""

    name: ClassVar[str]
    title: ClassVar[str]
    setting: ClassVar[str]
    """The setting that takes its URL."""
    port_names: ClassVar[Sequence[str]]
    """What it needs ports for; the first is the clients'."""
    usual_port: ClassVar[int]
    starts_one_by_one: ClassVar[bool]
    """A node starts when the one before it answers; else all start at once."""
    stop_limit_s: ClassVar[float]
    """After this long without an end a node is killed; each engine's own log makes that safe."""

    def hosts(self, count: int) -> list[str]:
        """Where its nodes listen."""

    def acquire(self, supplies: Supplies) -> None:
        """Find or fetch what `launch` needs. Raises MissingTool, EnginesError."""

    def launch(self, place: Place, layout: Layout, supplies: Supplies) -> Launch:
        """Write the node's files, and say how to start it."""

    def answers(self, place: Place, member_count: int) -> bool:
        """Whether the node does what a client asks of it, and that many members, itself included,
        are there for it. Never raises."""

    def url(self, layout: Layout) -> str:
        """The value of its setting."""

"""How many nodes an engine has, where their files lie and where they listen; kept on disk, so that
the addresses survive a restart."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from operations.engines.child import write_whole
from operations.engines.errors import EnginesError, EnginesUnknown
from operations.engines.places import Account, make_folder
from operations.sockets import PortTaken, bind

_FILE = "layout.json"
# Below the range from which systems take the ports of outgoing connections: a port that a node left
# for a moment is free when it comes back.
_PORTS = range(20_000, 32_000)
_ATTEMPTS = 100
_CHANCE = random.SystemRandom()


@dataclass(frozen=True)
class Place:
    """One node: its number from 1, its folder, its host, and its ports by what they are for."""

    number: int
    folder: Path
    host: str
    ports: Mapping[str, int]


@dataclass(frozen=True)
class Layout:
    """The nodes of one engine."""

    engine: str
    folder: Path
    places: tuple[Place, ...]

    def address(self, port: str) -> str:
        """Every host and port, separated by commas."""
        return ",".join(f"{place.host}:{place.ports[port]}" for place in self.places)


@dataclass(frozen=True)
class PortWish:
    """Which port somebody would like: the one asked for or none; else the usual one if it is free;
    else a free one."""

    asked_for: int | None = None
    usual: int | None = None
    option: str = ""
    """What the user wrote to ask for it."""


def read_layout(folder: Path) -> Layout | None:
    """The layout that a folder of an engine keeps; None: there is none. Raises EnginesUnknown."""
    try:
        kept = json.loads((folder / _FILE).read_text())
        places = tuple(
            Place(number, folder / str(number), node["host"], node["ports"])
            for number, node in enumerate(kept["nodes"], start=1)
        )
        return Layout(kept["engine"], folder, places)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise EnginesUnknown(f"{folder / _FILE} cannot be read: {exc}") from exc


def write_layout(layout: Layout, account: Account | None) -> None:
    """Keep it, and make the folders of the nodes."""
    make_folder(layout.folder)
    for place in layout.places:
        make_folder(place.folder, account)
    nodes = [{"host": place.host, "ports": dict(place.ports)} for place in layout.places]
    text = json.dumps({"engine": layout.engine, "nodes": nodes}, indent=1)
    write_whole(layout.folder / _FILE, text)


def choose_ports(
    hosts: Sequence[str], names: Sequence[str], wish: PortWish, kept: Layout | None
) -> list[dict[str, int]]:
    """Ports for one node on each host: the first name is the clients' port. Those kept from the
    last time stay while they are free. Raises EnginesError when the one asked for is taken."""
    given: set[int] = set()
    chosen: list[dict[str, int]] = []
    for index, host in enumerate(hosts):
        before = kept.places[index].ports if kept is not None else {}
        ports: dict[str, int] = {}
        for name in names:
            wished = [before.get(name)]
            if name == names[0]:
                wished = _wished(wish, index, host, hosts) or [before.get(name), wish.usual]
            ports[name] = _first_free(host, wished, given)
        chosen.append(ports)
    return chosen


def _wished(wish: PortWish, index: int, host: str, hosts: Sequence[str]) -> list[int | None]:
    """The port asked for; the nodes of one host take the ones after it."""
    if wish.asked_for is None:
        return []
    port = wish.asked_for + (index if hosts.count(host) > 1 else 0)
    try:
        bind(host, port).close()
    except PortTaken as exc:
        raise EnginesError(f"{exc} with {wish.option}") from exc
    except (OSError, OverflowError) as exc:
        raise EnginesError(f"cannot listen at {host} port {port}: {exc}") from exc
    return [port]


def _first_free(host: str, wished: Sequence[int | None], given: set[int]) -> int:
    random_ones = [_CHANCE.choice(_PORTS) for _ in range(_ATTEMPTS)]
    for port in (*(port for port in wished if port is not None), *random_ones):
        if port in given:
            continue
        try:
            bind(host, port).close()
        except PortTaken:
            continue
        except OSError as exc:
            raise EnginesError(
                f"cannot listen at {host}: {exc.strerror}; where loopback is one address alone, as "
                f"on macOS, add it first: sudo ifconfig lo0 alias {host}"
            ) from exc
        given.add(port)
        return port
    raise EnginesError(f"{host} has no free port between {_PORTS.start} and {_PORTS.stop}")

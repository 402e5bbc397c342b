"""Parts start before the first request, stop after the last, and a failed start says why."""

import asyncio
import signal
from dataclasses import dataclass, field
from typing import Any

import pytest

from analyticsproject.lifespan import Lifespan


@dataclass
class Noted:
    """A part that writes down what it is asked."""

    name: str
    notes: list[str]
    trouble: BaseException | None = None
    stop_trouble: Exception | None = None

    def start(self) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.notes.append(f"start {self.name}")

    def stop(self) -> None:
        self.notes.append(f"stop {self.name}")
        if self.stop_trouble is not None:
            raise self.stop_trouble


@dataclass
class Server:
    """The server's side of the protocol."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    asked: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def run(self, lifespan: Lifespan) -> None:
        for kind in ("startup", "shutdown"):
            self.asked.put_nowait({"type": f"lifespan.{kind}"})
        await lifespan({"type": "lifespan"}, self.asked.get, self.send)


async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    notes: list[str] = []
    server = Server()

    await server.run(Lifespan([Noted("a", notes), Noted("b", notes)]))

    assert notes == ["start a", "start b", "stop b", "stop a"]
    assert [message["type"] for message in server.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


@pytest.mark.parametrize("trouble", [RuntimeError("no disk"), SystemExit("no disk")])
async def test_a_failed_start_says_why_and_stops_what_had_started(trouble: BaseException) -> None:
    notes: list[str] = []
    server = Server()

    await server.run(Lifespan([Noted("a", notes), Noted("b", notes, trouble)]))

    assert notes == ["start a", "stop a"]
    assert server.sent == [{"type": "lifespan.startup.failed", "message": "no disk"}]


async def test_a_part_that_does_not_stop_cleanly_keeps_none_from_stopping() -> None:
    notes: list[str] = []
    server = Server()

    await server.run(
        Lifespan([Noted("a", notes), Noted("b", notes, stop_trouble=RuntimeError("stuck"))])
    )

    assert notes[-1] == "stop a"
    assert server.sent[-1]["type"] == "lifespan.shutdown.complete"


async def test_a_stop_signal_is_told_before_the_server_is() -> None:
    told: list[str] = []
    stopped = asyncio.Event()
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, lambda *_: told.append("server"))
    server = Server()

    def tell_us() -> None:
        told.append("us")
        stopped.set()

    lifespan = Lifespan([], on_stop_signal=tell_us)
    try:
        server.asked.put_nowait({"type": "lifespan.startup"})
        running = asyncio.create_task(lifespan({"type": "lifespan"}, server.asked.get, server.send))
        while not server.sent:
            await asyncio.sleep(0)
        signal.raise_signal(signal.SIGTERM)
        await stopped.wait()
        server.asked.put_nowait({"type": "lifespan.shutdown"})
        await running
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)

    assert sorted(told) == ["server", "us"]

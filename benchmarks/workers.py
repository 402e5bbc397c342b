"""Sink and projector, each draining the same feed with the real command; beside bare inserts of
the same rows."""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.corpus import START_MS, shop_events
from benchmarks.draining import BATCH, drain, fill_feed
from benchmarks.figures import Figure, say
from feed.codec import encode
from feed.event import Event, EventKey, ProjectId, event_key
from feed.ports import OutgoingRecord
from feed.sqlite import open_file, writing
from tests.stack import Stack

EVENTS = 200_000
ROUNDS = 3
MEMORY_LIMIT_MB = 300.0
COMMANDS = {"sink": "run_warehouse_sink", "projector": "run_projector"}


class Drained(NamedTuple):
    """Events a second of a worker, rows a second of the bare inserts before it, peak memory."""

    rate: float
    raw: float
    memory_mb: float


def shop_records(count: int, projects: int = 1, *, seed: int = 2) -> Iterator[OutgoingRecord]:
    """Records of the corpus, of projects `bench-0`, `bench-1`, … by turns."""
    for index, event in enumerate(shop_events(count, seed=seed)):
        project = f"bench-{index % projects}"
        key = event_key(project, event["id"], event["timestamp"])
        yield OutgoingRecord(key, encode(_encoded_event(project, key, event)))


def _encoded_event(project: str, key: EventKey, event: dict[str, object]) -> Event:
    return Event(
        key=key,
        project=ProjectId(project),
        id=str(event["id"]),
        event=str(event["event"]),
        type="track",
        occurred_at_ms=int(str(event["timestamp"])),
        received_at_ms=START_MS,
        sent_at_ms=None,
        user_id=str(event["user_id"]),
        anonymous_id=None,
        session_id=None,
        properties=json.dumps(event["properties"], separators=(",", ":")),
        context="{}",
        transport="rest",
    )


def _raw_inserts(path: Path, records: Sequence[OutgoingRecord]) -> float:
    """Rows a second of a bare table keyed as the store is, in transactions of a batch."""
    connection = open_file(path)
    connection.execute(
        "CREATE TABLE raw (project INTEGER, key BLOB, event TEXT, version INTEGER, record BLOB,"
        " PRIMARY KEY (project, key)) WITHOUT ROWID"
    )
    rows = [(1, record.key, "event.1", 1, record.value) for record in records]
    started = time.monotonic()
    for start in range(0, len(rows), BATCH):
        with writing(connection):
            connection.executemany(
                "INSERT INTO raw VALUES (?, ?, ?, ?, ?)", rows[start : start + BATCH]
            )
    seconds = time.monotonic() - started
    connection.close()
    return len(rows) / seconds


def run() -> None:
    """The best of a few rounds, each on a fresh folder: neighbours on the machine only ever slow
    one. The time of an empty drain (start-up) is taken off."""
    records = list(shop_records(EVENTS))
    rounds = [_round(records, number) for number in range(1, ROUNDS + 1)]
    for name in COMMANDS:
        raw = max(one[name].raw for one in rounds)
        rate = max(one[name].rate for one in rounds)
        memory = max(one[name].memory_mb for one in rounds)
        Figure(name, rate, "events/s", raw).print()
        Figure(f"{name}_memory", memory, "MB", MEMORY_LIMIT_MB).print()


def _round(records: Sequence[OutgoingRecord], number: int) -> dict[str, Drained]:
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as folder,
        Stack(Path(folder) / "weir") as stack,
    ):
        idle = {name: drain(stack, command)[0] for name, command in COMMANDS.items()}
        say(f"round {number} of {ROUNDS}: sink and projector drain {EVENTS} events each")
        fill_feed(stack, records)
        drained: dict[str, Drained] = {}
        for name, command in COMMANDS.items():
            raw = _raw_inserts(Path(folder) / f"raw-{name}.db", records)
            seconds, memory_mb = drain(stack, command)
            drained[name] = Drained(EVENTS / (seconds - idle[name]), raw, memory_mb)
        return drained

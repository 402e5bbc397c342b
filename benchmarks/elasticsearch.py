"""The projector from Kafka to Elasticsearch, one process and two, beside prepared bulk bodies from
memory."""

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import servers
from benchmarks.draining import drain, fill_feed
from benchmarks.figures import Figure, say
from benchmarks.workers import MEMORY_LIMIT_MB, shop_records
from feed.codec import decode
from feed.event import record_version
from feed.ports import OutgoingRecord
from tests.elasticsearch_view import fresh_prefix, open_view
from tests.engine_names import ELASTICSEARCH, KAFKA, SETTINGS, corner
from tests.stack import Stack
from timeseries.adapters.elasticsearch.documents import Lines
from timeseries.ports import Document
from timeseries.projection import document, flatten

EVENTS = 200_000
ROUNDS = 3
WARM_UP_ROUNDS = 4
"""Elasticsearch's compiler needs so much before its figures stand."""
PROJECTS = (1, 100)
PROCESSES = (1, 2)
ENGINES = "kafka, elasticsearch"


def run() -> None:
    """The best of a few rounds, each below a prefix of its own."""
    server = servers.server(ELASTICSEARCH)
    memory_mb = 0.0
    say(f"warming up with {WARM_UP_ROUNDS} times {EVENTS} documents")
    for _ in range(WARM_UP_ROUNDS):
        _raw(server, list(shop_records(EVENTS)))
    for projects in PROJECTS:
        records = list(shop_records(EVENTS, projects))
        say(f"{EVENTS} events of {projects} projects into Elasticsearch, {ROUNDS} rounds")
        raw = max(_raw(server, records) for _ in range(ROUNDS))
        for processes in PROCESSES:
            rounds = [_project(server, records, processes) for _ in range(ROUNDS)]
            name = f"projector_{projects}_projects_{processes}_processes"
            Figure(name, max(rate for rate, _ in rounds), "documents/s", raw, ENGINES).print()
            memory_mb = max(memory_mb, *(peak_mb for _, peak_mb in rounds))
    Figure("projector_memory", memory_mb, "MB", MEMORY_LIMIT_MB, ENGINES).print()


def _raw(server: str, records: Sequence[OutgoingRecord]) -> float:
    """Documents a second of bodies that are ready, two under way, one refresh at the end."""
    with fresh_prefix(server) as url:
        store = open_view(url, Path())
        store.ensure(1)
        place = store._keeper.place(1)
        lines = Lines(store._names, place)
        documents = _documents(records)
        bulks = list(store._bulk._bulks([documents], lines))
        store._keeper.need(place, lines.indices)
        started = time.monotonic()
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda bulk: store._bulk._send(place, bulk, restores=False), bulks))
        store._bulk._refresh(sorted(lines.indices))
        seconds = time.monotonic() - started
        store.close()
        return len(records) / seconds


def _documents(records: Sequence[OutgoingRecord]) -> list[Document]:
    slots: dict[str, int] = {}
    made: list[Document] = []
    for record in records:
        event = decode(record.value)
        flattened = flatten(event)
        for name in flattened.values:
            slots.setdefault(name, len(slots))
        version = record_version(event.received_at_ms, record.value)
        made.append(document(event, flattened, version=version, slot_of=slots))
    return made


def _project(server: str, records: Sequence[OutgoingRecord], processes: int) -> tuple[float, float]:
    """Documents a second of so many projectors that drain one topic of Kafka, and the peak MB of
    one. The time of an empty drain (start-up) is taken off."""
    with (
        corner(ELASTICSEARCH, server) as view,
        corner(KAFKA, servers.server(KAFKA)) as feed,
        tempfile.TemporaryDirectory(prefix="weir-bench-") as folder,
        Stack(Path(folder), {SETTINGS[ELASTICSEARCH]: view, SETTINGS[KAFKA]: feed}) as stack,
    ):
        idle_s, _ = drain(stack, "run_projector", processes)
        fill_feed(stack, records)
        seconds, peak_mb = drain(stack, "run_projector", processes)
        return len(records) / (seconds - idle_s), peak_mb

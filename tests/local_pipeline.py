"""The three embedded engines in a test's own folder, behind the process-wide handles."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.test.utils import override_settings

from feed.backends import FEED
from feed.codec import encode
from feed.event import Event
from feed.ports import Feed, OutgoingRecord
from feed.topics import Topic
from timeseries.backends import SERIES_STORE
from timeseries.generations import READER
from timeseries.models import Generation, ServedGeneration
from timeseries.ports import SeriesStore
from timeseries.slots import get_slots
from warehouse.backends import EVENT_STORE
from warehouse.ports import EventStore

SETTLED_S = 20.0
_HANDLES: Sequence[Any] = (FEED, EVENT_STORE, SERIES_STORE)  # Any: backends of three ports


@dataclass(frozen=True, slots=True)
class LocalPipeline:
    """Handles on the engines, and short ways to move events through them."""

    feed: Feed
    events: EventStore
    series: SeriesStore

    def publish(self, topic: Topic, records: Sequence[OutgoingRecord]) -> None:
        """Put records into a topic and wait until they are there."""
        assert self.feed.publish(topic, records).wait(timeout_s=SETTLED_S)

    def publish_events(self, events: Sequence[Event]) -> None:
        """As ingest does."""
        self.publish(Topic.EVENTS, [OutgoingRecord(event.key, encode(event)) for event in events])

    def store(self) -> None:
        """Drain the feed into the warehouse."""
        call_command("run_warehouse_sink", once=True)

    def project(self) -> None:
        """Drain the feed into the view."""
        call_command("run_projector", once=True)


@contextmanager
def local_pipeline(data_dir: Path) -> Iterator[LocalPipeline]:
    """Engines below `data_dir`, made by `ensure_engines`; the test needs the database."""
    with override_settings(DATA_DIR=data_dir):
        _make_generation()
        _forget()
        call_command("ensure_engines", stdout=StringIO())
        try:
            yield LocalPipeline(FEED.get(), EVENT_STORE.get(), SERIES_STORE.get())
        finally:
            for backend in _HANDLES:
                backend.get().close()
            _forget()


def _make_generation() -> None:
    """The migrations' first one, which tests that truncate tables take away."""
    ready = {"state": Generation.State.READY}
    generation, _ = Generation.objects.get_or_create(number=1, defaults=ready)
    ServedGeneration.objects.get_or_create(
        pk=ServedGeneration.ONLY, defaults={"generation": generation}
    )


def _forget() -> None:
    READER.forget()
    get_slots().forget()
    for backend in _HANDLES:
        backend.forget()

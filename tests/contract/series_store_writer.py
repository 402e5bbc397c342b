"""A process that writes to a series store and says what was promised: for the tests that
kill it. Prints the number of each batch once `write` has returned for it."""

import os
import sys
from pathlib import Path

import django

from feed.crash_points import arm
from tests.builders import NOON_MS
from tests.series_builders import make_document
from timeseries.adapters.embedded import open_series_store
from timeseries.ports import Document, SeriesStore

BATCH_DOCUMENTS = 50
MINUTE_MS = 60_000
EVENTS = ("buy", "view", "leave")


def batch_of(project: str, writer: int, number: int) -> list[Document]:
    """Batch `number` of a writer, a function of the arguments alone: half of it are documents of
    its own, half are keys that every writer writes, each in its own version."""
    return [
        make_document(
            project=project,
            id=f"shared-{index}" if index % 2 else f"{writer}-{number}-{index}",
            at_ms=NOON_MS + (index if index % 2 else number * 7 + index) * MINUTE_MS,
            version=1 + (number * 10 + writer) * BATCH_DOCUMENTS + index,
            event=EVENTS[(number + writer + index) % 3],
            values={0: "ab"[number % 2], 1: float(number + index), 2: ["x", number % 5 == 0]},
        )
        for index in range(BATCH_DOCUMENTS)
    ]


def opened(place: str) -> SeriesStore:
    """The store at a view's URL, or the embedded one in a folder."""
    if place.startswith("elasticsearch+"):
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "analyticsproject.settings")
        django.setup()
        from tests.elasticsearch_view import open_view

        return open_view(place, Path())
    return open_series_store("embedded:", {}, Path(place))


def main(place: str, project: str, writer: str, batches: str, crash_point: str) -> None:
    """Write batches 0, 1, … one by one."""
    store = opened(place)  # may set Django up, which arms what the settings say
    arm(crash_point)
    for number in range(int(batches)):
        store.write([batch_of(project, int(writer), number)], generations=(1,))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

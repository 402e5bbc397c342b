"""The steps in the Django database: read by writers, added where a measured rate asks for more."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError, IntegrityError, close_old_connections, transaction

from feed.event import HOUR_MS
from warehouse.errors import StoreUnavailable
from warehouse.models import ShardStep
from warehouse.ports import EventStore, Partition, ScanWindow
from warehouse.shards import MAX_SHARDS, NOTICE_MS, ShardPlan

PARTITION_BYTES = 50_000_000
"""What a shard of an hour is meant to hold: half of the 100 MB that it may, for hours that are
busier than any that was measured."""
MEASURED_HOURS = 48
SAMPLE_ROWS = 1000
FAR_MS = 2**48 - 1


class StepTaken(Exception):
    """Another step was made for this project at the same time."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The busiest hour that was measured, and the mean size of a record."""

    events_an_hour: int
    bytes_an_event: int


def read_plan(project: str) -> ShardPlan:
    """The plan as it is now. Raises StoreUnavailable when the database does not give it."""
    read_at_ms = _now_ms()  # before the query: a step made meanwhile begins later than it covers
    try:
        close_old_connections()
        steps = list(
            ShardStep.objects.filter(project=project)
            .order_by("start_ms")
            .values_list("start_ms", "shards")
        )
    except DatabaseError as exc:
        raise StoreUnavailable(
            f"the shards of project {project} cannot be read ({exc}): the database of DATABASE_URL "
            "must be up, and manage.py migrate must have run"
        ) from exc
    starts_ms, counts = zip(*steps, strict=True) if steps else ((), ())
    return ShardPlan(read_at_ms, tuple(starts_ms), tuple(counts))


def measure(store: EventStore, project: str, *, now_ms: int | None = None) -> Rate:
    """From the events of the last two days. Raises StoreUnavailable."""
    end_ms = (_now_ms() if now_ms is None else now_ms) // HOUR_MS * HOUR_MS + HOUR_MS
    window = ScanWindow(project, end_ms - MEASURED_HOURS * HOUR_MS, end_ms)
    hours: dict[int, int] = {}
    for hour in store.hours(window):
        hours[hour.hour_ms] = hours.get(hour.hour_ms, 0) + hour.count
    pages = store.scan(window, page_rows=SAMPLE_ROWS)
    rows = next((page.rows for page in pages if page.rows), ())
    if not hours or not rows:
        return Rate(0, 0)
    return Rate(max(hours.values()), sum(len(row.record) for row in rows) // len(rows))


def needed_shards(rate: Rate) -> int:
    """The power of two that keeps a partition of such hours at PARTITION_BYTES or less."""
    wanted = -(-rate.events_an_hour * rate.bytes_an_event // PARTITION_BYTES)
    return min(MAX_SHARDS, 1 << max(0, wanted - 1).bit_length())


def add_step(store: EventStore, project: str, shards: int, *, now_ms: int | None = None) -> int:
    """Split hours into so many shards from the earliest hour on that is safe, which is returned:
    48 hours ahead, after every step there is and every hour that the warehouse has.

    Raises StoreUnavailable, and StepTaken: look again.
    """
    earliest_ms = (_now_ms() if now_ms is None else now_ms) + NOTICE_MS
    start_ms = -(-earliest_ms // HOUR_MS) * HOUR_MS
    ahead: Sequence[Partition] = store.partitions(project, start_ms, FAR_MS)
    if ahead:
        start_ms = ahead[-1].hour_ms + HOUR_MS
    try:
        with transaction.atomic():
            last = ShardStep.objects.filter(project=project).order_by("start_ms").last()
            if last is not None and last.start_ms >= start_ms:
                start_ms = last.start_ms + HOUR_MS
            ShardStep.objects.create(project=project, start_ms=start_ms, shards=shards)
    except IntegrityError as exc:
        raise StepTaken(f"another step of project {project} was made just now: look again") from exc
    return start_ms


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

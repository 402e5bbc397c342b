"""Pins of the generation that is being built: the projector's side of feed.pinning."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import Error as DjangoDatabaseError
from django.db import close_old_connections, transaction

from feed.errors import Backpressure
from feed.pinning import Missing
from feed.ports import TopicPartition
from timeseries.generations import READER, GenerationReader
from timeseries.lifecycle import pins
from timeseries.models import Generation, GenerationPin

DATABASE_RETRY_S = 1.0


class GenerationPins:
    """Implements feed.pinning.Pins for one lane. Used from its thread.

    Each partition is pinned only in a generation that is being built: of one that is ready every
    partition was, and a partition that comes later is written into it from its first record.
    """

    def __init__(self, reader: GenerationReader = READER) -> None:
        self._reader = reader
        self._building: int | None = None
        self._pinned: frozenset[TopicPartition] = frozenset()

    def on_assigned(self) -> None:
        """See the port."""
        self._reader.forget()

    def missing(self, partitions: frozenset[TopicPartition]) -> Missing | None:
        """See the port."""
        with _waiting_for_database():
            building = self._reader.current().building
            if building is None:
                return None
            if building != self._building:
                self._building, self._pinned = building, frozenset()
            if not partitions <= self._pinned:
                self._pinned = frozenset(pins(building))
        left = partitions - self._pinned
        return Missing(building, left) if left else None

    def pin(self, missing: Missing, positions: Mapping[TopicPartition, int]) -> None:
        """See the port. A generation that was dropped meanwhile gets none."""
        with _waiting_for_database(), transaction.atomic():
            building = Generation.objects.select_for_update(no_key=True).filter(
                number=missing.of, state=Generation.State.BUILDING
            )
            if building:
                GenerationPin.objects.bulk_create(
                    [
                        GenerationPin(
                            generation=missing.of,
                            topic=where.topic,
                            partition=where.partition,
                            position=position,
                        )
                        for where, position in positions.items()
                    ],
                    ignore_conflicts=True,
                )


@contextmanager
def _waiting_for_database() -> Iterator[None]:
    try:
        yield
    except DjangoDatabaseError as exc:
        close_old_connections()  # one that broke is opened anew
        raise Backpressure(
            f"the database does not take pins now: {exc}", retry_after_s=DATABASE_RETRY_S
        ) from exc

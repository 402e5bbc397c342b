"""`manage.py run_projector`: from topics events and history into the time-series view."""

from collections.abc import Sequence
from dataclasses import replace

from django.core.management.base import CommandError

from feed.consumer import Lane
from feed.deliveries import Handler
from feed.errors import Backpressure
from feed.event import Event
from feed.ports import Feed
from feed.topics import Group, Topic
from feed.worker import WorkerCommand
from timeseries.backends import get_series_store
from timeseries.errors import SeriesBackpressure, SeriesError
from timeseries.generations import written_generations
from timeseries.history import HistoryProjector
from timeseries.lifecycle import finish_drops
from timeseries.pins import GenerationPins
from timeseries.ports import Pace
from timeseries.projector import Projector
from timeseries.slots import get_slots

HISTORY_BATCH_RECORDS = 4_000
"""At most, while live is idle: an event that comes then waits for one such batch, about a second of
a store that takes its time. While live has work history takes fewer (feed.lanes)."""


class Command(WorkerCommand):
    """Each lane has a projector of its own, so that each announces its own changes."""

    help = "Project events into the time-series view."

    def prepare(self) -> None:
        """Make what the generations need, and finish what a killed drop left. Raises Backpressure
        while the view is away."""
        try:
            for generation in finish_drops():
                self.stderr.write(f"run_projector: freed the dropped generation {generation}")
            for generation in written_generations():
                for sentence in get_series_store().ensure(generation):
                    self.stderr.write(f"run_projector: {sentence}")
        except SeriesBackpressure as exc:
            raise Backpressure(str(exc), retry_after_s=exc.retry_after_s) from exc
        except SeriesError as exc:
            raise CommandError(str(exc)) from exc

    def lanes(self, feed: Feed) -> Sequence[Lane]:
        """Live events, and history in the capacity that they leave."""
        pace = get_series_store().pace
        batch_records = min(pace.batch_records, HISTORY_BATCH_RECORDS)
        return (
            _lane("live", Group.PROJECTOR, Topic.EVENTS, _projector(restores=False), pace),
            _lane(
                "history",
                Group.PROJECTOR_HISTORY,
                Topic.HISTORY,
                HistoryProjector(_projector(restores=True)),
                replace(pace, batch_records=batch_records),
            ),
        )


def _projector(*, restores: bool) -> Projector:
    return Projector(get_series_store(), get_slots(), restores=restores)


def _lane(name: str, group: Group, topic: Topic, handler: Handler[Event], pace: Pace) -> Lane:
    return Lane(
        name,
        group,
        topic,
        handler,
        batch_records=pace.batch_records,
        little_records=pace.little_records,
        spacing_s=pace.spacing_s,
        pins=GenerationPins(),
    )

"""Makes what the three engines need: topics, tables, the view's generation."""

from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from feed.backends import get_feed
from feed.errors import FeedError
from timeseries.backends import get_series_store
from timeseries.errors import SeriesError
from timeseries.generations import written_generations
from warehouse.backends import get_event_store
from warehouse.errors import StoreError


class Command(BaseCommand):
    """See `help`."""

    help = "Make topics, tables and indices that are missing. Idempotent; never deletes."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was made, a line each."""
        made: list[str] = []
        for ensure in (_ensure_feed, _ensure_warehouse, _ensure_view):
            made += _or_refuse(ensure)
        for sentence in made:
            self.stdout.write(sentence)
        if not made:
            self.stdout.write("Everything is there already.")


def _or_refuse(ensure: Callable[[], Sequence[str]]) -> Sequence[str]:
    try:
        return ensure()
    except (FeedError, StoreError, SeriesError, ImportError, ValueError) as exc:
        raise CommandError(str(exc)) from exc


def _ensure_feed() -> Sequence[str]:
    return get_feed().ensure_topics()


def _ensure_warehouse() -> Sequence[str]:
    return get_event_store().ensure()


def _ensure_view() -> Sequence[str]:
    store = get_series_store()
    return [
        sentence for generation in written_generations() for sentence in store.ensure(generation)
    ]

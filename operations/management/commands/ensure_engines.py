"""Makes what the three engines need: topics, tables, the view's generation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from feed.backends import get_feed
from feed.errors import Backpressure, FeedError
from timeseries.backends import get_series_store
from timeseries.errors import SeriesBackpressure, SeriesError
from timeseries.generations import written_generations
from warehouse.backends import get_event_store
from warehouse.errors import StoreBackpressure, StoreError

AWAY = (Backpressure, StoreBackpressure, SeriesBackpressure)


class Command(BaseCommand):
    """See `help`."""

    help = "Make topics, tables and indices that are missing. Idempotent; never deletes."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was made, a line each."""
        made: list[str] = []
        made += _or_refuse(_ensure_feed, "WEIR_FEED_URL", settings.FEED)
        made += _or_refuse(_ensure_warehouse, "WEIR_WAREHOUSE_URL", settings.EVENT_STORE)
        made += _or_refuse(_ensure_view, "WEIR_TIMESERIES_URL", settings.SERIES_STORE)
        for sentence in made:
            self.stdout.write(sentence)
        if not made:
            self.stdout.write("Everything is there already.")


def _or_refuse(
    ensure: Callable[[], Sequence[str]], name: str, entry: Mapping[str, Any]
) -> Sequence[str]:
    """Raises CommandError; where a server is away or lets nobody in it says what to do."""
    try:
        return ensure()
    except AWAY as exc:
        if entry["URL"].startswith("embedded:"):
            raise CommandError(str(exc)) from exc
        said = str(exc).rstrip(".")
        raise CommandError(
            f"the engine of {name} cannot be used ({said}): mend that, or start it (on this "
            "machine: make engines-up), then run this again"
        ) from exc
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

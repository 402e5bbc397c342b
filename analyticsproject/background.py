"""What runs beside the requests in a web process, by the parts that it serves."""

from collections.abc import Sequence

from access.authentication import get_key_ring
from analyticsproject.lifespan import Part
from feed.backends import get_feed
from feed.leftovers import refuse_unread_leftovers
from operations.dead_letter_keeper import DeadLetterKeeper
from operations.sampler import Sampler
from timeseries.backends import get_series_store
from warehouse.backends import get_event_store

FLUSH_LIMIT_S = 5.0


class Engines:
    """This process's handles: opened by whoever uses them first, closed after the last request."""

    def start(self) -> None:
        """Refuse a feed that was changed before the old one was drained."""
        refuse_unread_leftovers()

    def stop(self) -> None:
        """Settle what was published, then free everything."""
        get_feed().flush(timeout_s=FLUSH_LIMIT_S)
        get_feed().close()
        get_series_store().close()
        get_event_store().close()


def parts_of(served: Sequence[str]) -> list[Part]:
    """In order of their start; they stop in the reverse order."""
    parts: list[Part] = [Engines(), get_key_ring()]
    if "admin" in served:
        parts += [DeadLetterKeeper(), Sampler()]
    return parts

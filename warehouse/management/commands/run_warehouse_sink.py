"""The warehouse sink's process."""

from collections.abc import Sequence

from feed.codec import decode_head
from feed.consumer import Lane
from feed.ports import Feed
from feed.topics import Group, Topic
from feed.worker import WorkerCommand
from warehouse.backends import get_event_store
from warehouse.sink import WarehouseSink

BATCH_RECORDS = 20_000
"""A store may have to write by project and hour: with a hundred projects behind, each gets some 200
rows of a batch. More would take longer than a drain may, on a slow store."""


class Command(WorkerCommand):
    """Keeps every event of the feed in the warehouse, for good."""

    help = "Store what comes through the feed in the warehouse."

    def lanes(self, feed: Feed) -> Sequence[Lane]:
        """One lane: all events."""
        sink = WarehouseSink(get_event_store())
        return [
            Lane(
                name="live",
                group=Group.SINK,
                topic=Topic.EVENTS,
                handler=sink,
                batch_records=BATCH_RECORDS,
                decode=decode_head,
            )
        ]

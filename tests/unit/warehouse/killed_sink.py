"""A process whose sink handles one batch and is killed at the crash point that it is told."""

import sys
from pathlib import Path

from feed.codec import encode
from feed.crash_points import arm
from feed.deliveries import Delivery
from feed.event import Event
from feed.ports import Record
from feed.topics import Topic
from tests.builders import NOON_MS, make_event
from warehouse.adapters.embedded import open_event_store
from warehouse.sink import WarehouseSink


def delivery_of(event: Event) -> Delivery:
    """The event as the loop delivers it."""
    return Delivery(Record(Topic.EVENTS, 0, 0, NOON_MS, event.key, encode(event)), event)


def main(data_dir: str, crash_point: str) -> None:
    """Handle ten events of project `killed`."""
    arm(crash_point)
    sink = WarehouseSink(open_event_store("embedded:", {}, Path(data_dir)))
    sink.handle([delivery_of(make_event(project="killed", id=str(n))) for n in range(10)])


if __name__ == "__main__":
    main(*sys.argv[1:])

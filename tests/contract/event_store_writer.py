"""A process that appends known batches to an event store and says each time that one was
promised."""

import sys
from pathlib import Path

from feed.crash_points import arm
from feed.event import HOUR_MS
from tests.builders import NOON_MS, make_event, make_row
from warehouse.ports import EventStore, Row

BATCH_ROWS = 50


def batch_of(project: str, writer: int, number: int) -> list[Row]:
    """Batch `number` of a writer: its rows are a function of the arguments alone."""
    return [
        make_row(
            make_event(
                project=project,
                id=f"{writer}-{number}-{index}",
                occurred_at_ms=NOON_MS + (number * 7 + index) % 20 * HOUR_MS // 4 + index,
            )
        )
        for index in range(BATCH_ROWS)
    ]


def opened(place: str) -> EventStore:
    """The store at `place`: a folder of the embedded one, or a cassandra: URL with a keyspace."""
    if place.startswith("cassandra:"):
        from tests.contract.cassandra_keyspace import store_at

        return store_at(place)
    from warehouse.adapters.embedded import open_event_store

    return open_event_store("embedded:", {}, Path(place))


def main(place: str, project: str, writer: str, batches: str, crash_point: str) -> None:
    """Append batches 0, 1, … one by one."""
    arm(crash_point)
    store = opened(place)
    for number in range(int(batches)):
        store.append(batch_of(project, int(writer), number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A process that appends to an embedded event store and says what was promised: for the tests that
kill it. Prints the number of each batch once `append` has returned for it."""

import sys
from pathlib import Path

from feed.crash_points import arm
from feed.event import HOUR_MS
from tests.builders import NOON_MS, make_event, make_row
from warehouse.adapters.embedded import open_event_store
from warehouse.ports import Row

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


def main(data_dir: str, project: str, writer: str, batches: str, crash_point: str) -> None:
    """Append batches 0, 1, … one by one."""
    arm(crash_point)
    store = open_event_store("embedded:", {}, Path(data_dir))
    for number in range(int(batches)):
        store.append(batch_of(project, int(writer), number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

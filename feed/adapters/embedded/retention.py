"""Deletes what is old and read by all who must read it, in steps so small that producers hardly
wait."""

from collections.abc import Iterable, Mapping

from feed.adapters.embedded.log import TopicLog
from feed.ports import Committed
from feed.sqlite import rows, writing

CHUNKS_A_STEP = 500
_OLDEST = """
SELECT id, base, count, appended_at_ms FROM chunks WHERE partition = ? ORDER BY base LIMIT ?
"""


def passed_by_all(groups: Iterable[Mapping[int, Committed]], partition: int) -> int | None:
    """The position that every group has reached; 0 where one never committed, None without
    groups."""
    positions = [
        committed[partition].position if partition in committed else 0 for committed in groups
    ]
    return min(positions, default=None)


def trim_step(log: TopicLog, partition: int, *, before_ms: int, passed: int | None) -> int:
    """Delete some of the oldest chunks that were appended before `before_ms` and whose last record
    lies before `passed` (None: no reader matters); the number of records, 0 when none are left."""
    with writing(log.connection):
        oldest = rows(log.connection, _OLDEST, (partition, CHUNKS_A_STEP))
        doomed = [
            (chunk, count)
            for chunk, base, count, appended_at_ms in oldest
            if appended_at_ms < before_ms and (passed is None or base + count <= passed)
        ]
        log.connection.executemany(
            "DELETE FROM chunks WHERE id = ?", [(chunk,) for chunk, _ in doomed]
        )
    return sum(int(count) for _, count in doomed)

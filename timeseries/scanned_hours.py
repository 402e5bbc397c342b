"""Which hours a replay has changed, each told once: when the replay has gone on to another."""

from collections.abc import Iterable

from feed.announcements import ChangedRange, merge_ranges
from feed.event import HOUR_MS


class ScannedHours:
    """Holds back the hours that the latest batch touched. A replay scans hour by hour: the next
    batches may touch them again, and an open chart should not be woken for each."""

    def __init__(self) -> None:
        self._held: set[tuple[str, int]] = set()

    def passed(self, touched: Iterable[ChangedRange]) -> list[ChangedRange]:
        """The hours that were touched before and not now: all of them, when nothing is."""
        now = {hour for each in touched for hour in _hours(each)}
        over, self._held = self._held - now, now
        return merge_ranges(
            ChangedRange(project, hour_ms, hour_ms + HOUR_MS) for project, hour_ms in over
        )


def _hours(touched: ChangedRange) -> Iterable[tuple[str, int]]:
    first_ms = touched.from_ms // HOUR_MS * HOUR_MS
    return ((touched.project, hour_ms) for hour_ms in range(first_ms, touched.to_ms, HOUR_MS))

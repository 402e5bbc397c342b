"""A comparison in pages, for whoever waits for an answer: some hours at a time, never for long."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from feed.event import HOUR_MS
from operations.reconcile.gap import Gap
from operations.reconcile.opening import open_reconciliation
from replay.domain import Span
from replay.verification.outcome import Hour
from replay.verification.reconciliation import Reconciliation

ENOUGH_S = 10.0
"""After this long no further hour is begun: the rest is asked for by cursor."""
LIMIT_S = 25.0
"""So long at most it is compared; what waiting for the groups takes comes on top."""
MOST_KEPT = 100
"""Keys told of an hour."""


@dataclass(frozen=True, slots=True)
class HoursPage:
    """Hours that hold anything, ascending; what they come to; what a replay of them must cover;
    where the next page begins, None after the last."""

    reconciliation: Reconciliation
    hours: list[Hour]
    gap: Gap
    next_ms: int | None


class ComparisonStopped(Exception):
    """Comparing took too long. Before `reached_ms` it was done."""

    def __init__(self, reached_ms: int) -> None:
        super().__init__((self.__doc__ or "").strip())
        self.reached_ms = reached_ms


class _OutOfTime(Exception):
    pass


def compared_page(project: str, span: Span, *, wait_s: float, limit: int) -> HoursPage:
    """At most `limit` hours, and at least one. Raises as Reconciliation.hours, and
    ComparisonStopped when one hour takes too long."""
    page = _compared(project, span, wait_s=wait_s, limit=limit, enough_s=ENOUGH_S)
    if page.next_ms == span.from_ms:
        raise ComparisonStopped(span.from_ms)
    return page


def compared_whole(project: str, span: Span, *, wait_s: float) -> HoursPage:
    """All hours. Raises as Reconciliation.hours, and ComparisonStopped when they take too long."""
    page = _compared(project, span, wait_s=wait_s, limit=sys.maxsize, enough_s=LIMIT_S)
    if page.next_ms is not None:
        raise ComparisonStopped(page.next_ms)
    return page


def _compared(project: str, span: Span, *, wait_s: float, limit: int, enough_s: float) -> HoursPage:
    began_s = time.monotonic()
    gap = Gap()
    reconciliation = open_reconciliation(
        project,
        span,
        wait_s=wait_s,
        most_kept=MOST_KEPT,
        found=gap.add,
        tick=_limit(began_s + LIMIT_S),
    )
    hours: list[Hour] = []
    next_ms: int | None = span.from_ms
    try:
        for hour in reconciliation.hours():
            hours.append(hour)
            next_ms = hour.hour_ms + HOUR_MS
            if len(hours) == limit or time.monotonic() > began_s + enough_s:
                break
        else:
            next_ms = None
    except _OutOfTime:
        pass  # what was compared by then is told
    is_over = next_ms is None or next_ms >= span.to_ms
    return HoursPage(reconciliation, hours, gap, None if is_over else next_ms)


def _limit(until_s: float) -> Callable[[], None]:
    def tick() -> None:
        if time.monotonic() > until_s:
            raise _OutOfTime

    return tick

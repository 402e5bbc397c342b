"""Compares warehouse and view, hour by hour. Command, API and admin page stand on this alone.

A difference is what was there at a first look and is there unchanged at a second one, after sink
and projector have handled everything that the feed held in between: docs/decisions/0027.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice, takewhile

from feed.event import HOUR_MS
from operations.reconcile.comparison import Difference, HourPair, Kind
from operations.reconcile.passing import Passing
from operations.reconcile.sides import Sides, Span

CHUNK = 10_000
"""Keys that differ at a first look and are held until the second one."""
NARROWED_FROM = 20_000
"""An hour of so many events is searched minute by minute, by figures first."""
MINUTE_MS = 60_000
MOST_KEPT = 1_000


class HourState(StrEnum):
    """SAME: nothing differs but what was on its way. LAGGING: figures differ, and it could not be
    waited until that can be told from lag."""

    SAME = "same"
    LAGGING = "lagging"
    DIFFERENT = "different"


def worst(states: Sequence[HourState]) -> HourState:
    """What is to be said of several hours: SAME of none."""
    order = list(HourState)
    return max(states, key=order.index, default=HourState.SAME)


@dataclass(slots=True)
class Hour:
    """What came of one hour. `warehouse` and `view` are counts at the first look. Of the keys that
    differ there are `missing`, `changed` and `extra`, and the first of them in `differences`;
    `on_the_way` are those that no longer did at the second look."""

    hour_ms: int
    warehouse: int
    view: int
    state: HourState = HourState.SAME
    missing: int = 0
    changed: int = 0
    extra: int = 0
    on_the_way: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, found: Sequence[Difference], *, looked_at: int, most_kept: int) -> None:
        """What a second look at so many keys found."""
        kinds = [difference.kind for difference in found]
        self.missing += kinds.count(Kind.MISSING)
        self.changed += kinds.count(Kind.CHANGED)
        self.extra += kinds.count(Kind.EXTRA)
        self.on_the_way += looked_at - len(found)
        self.differences += found[: most_kept - len(self.differences)]
        if found:
            self.state = HourState.DIFFERENT


class Reconciliation:
    """One comparison. `most_kept` bounds the keys kept of an hour; `found` is told of every
    difference, a chunk at a time, in order of keys within an hour: what a repair replays."""

    def __init__(
        self,
        sides: Sides,
        passing: Passing,
        *,
        most_kept: int = MOST_KEPT,
        found: Callable[[Sequence[Difference]], None] = lambda _: None,
    ) -> None:
        self._sides, self._passing = sides, passing
        self._most_kept, self._found = most_kept, found

    def hours(self, span: Span) -> Iterator[Hour]:
        """Every hour in which either side has something, ascending; memory is bounded by a chunk
        of keys and a page of each side. Raises as Sides, and FeedUnavailable."""
        for pair in self._sides.hours(span):
            hour = Hour(pair.hour_ms, *pair.counts)
            if not pair.agrees:
                self._settle(hour, pair, span)
            yield hour

    def _settle(self, hour: Hour, pair: HourPair, whole: Span) -> None:
        for span in self._spans(pair, whole):
            if not self._settle_span(hour, span):
                hour.state = worst([hour.state, HourState.LAGGING])
                return

    def _spans(self, pair: HourPair, whole: Span) -> Iterator[Span]:
        """Parts of the hour in which keys are to be looked at."""
        start_ms = max(pair.hour_ms, whole.start_ms)
        end_ms = min(pair.hour_ms + HOUR_MS, whole.end_ms)
        if max(pair.counts) < NARROWED_FROM:
            yield Span(start_ms, end_ms)
            return
        while start_ms < end_ms:
            minute = Span(start_ms, min(start_ms - start_ms % MINUTE_MS + MINUTE_MS, end_ms))
            if not all(part.agrees for part in self._sides.hours(minute)):
                yield minute
            start_ms = minute.end_ms

    def _settle_span(self, hour: Hour, span: Span) -> bool:
        """Two looks at each chunk of keys that differ; False when lag does not allow a second."""
        after: bytes | None = None
        while True:
            if self._passing.lag is not None:
                return False
            first = list(islice(self._sides.differences(span, after=after), CHUNK))
            if not first:
                return True
            if not self._passing.have_passed():
                return False
            lasting = self._lasting(first, span, after)
            hour.add(lasting, looked_at=len(first), most_kept=self._most_kept)
            if lasting:
                self._found(lasting)
            after = first[-1].key

    def _lasting(
        self, first: Sequence[Difference], span: Span, after: bytes | None
    ) -> list[Difference]:
        """Those that are still there, with the same content on both sides. A key that changed in
        between is of a newer record, which may be on its way."""
        last, held = first[-1].key, set(first)
        second = takewhile(
            lambda difference: difference.key <= last, self._sides.differences(span, after=after)
        )
        return [difference for difference in second if difference in held]

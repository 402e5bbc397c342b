"""Compares warehouse and view, hour by hour. Command, API and admin page stand on this alone.

A difference is what was there at a first look and is there unchanged at a second one, after sink
and projector have handled everything that the feed held in between: docs/decisions/0027.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, takewhile

from feed.event import HOUR_MS
from operations.reconcile.comparison import Difference, HourPair
from operations.reconcile.outcome import Counts, Hour, Summary
from operations.reconcile.passing import Passing
from operations.reconcile.sides import Sides, Span

CHUNK = 10_000
"""Keys that differ at a first look and are held until the second one."""
NARROWED_FROM = 20_000
"""An hour of so many events is searched minute by minute, by figures first."""
MINUTE_MS = 60_000


class Reconciliation:
    """One comparison of what occurred in `span`. `most_kept` bounds the keys kept of an hour;
    `found` is told of every difference, a chunk at a time, in order of keys: a repair's seam."""

    def __init__(
        self,
        sides: Sides,
        span: Span,
        passing: Passing,
        *,
        most_kept: int,
        found: Callable[[Sequence[Difference]], None] = lambda _: None,
    ) -> None:
        self.sides, self.span = sides, span
        self.summary = Summary()
        self._passing = passing
        self._most_kept, self._found = most_kept, found

    @property
    def lag(self) -> str | None:
        """Who was behind, in a sentence; None while both groups came in time."""
        return self._passing.lag

    def hours(self) -> Iterator[Hour]:
        """Every hour in which either side has something, ascending, counted into the summary;
        memory is bounded by a chunk of keys and a page of each side. Raises as Sides, and
        FeedUnavailable."""
        for pair in self.sides.hours(self.span):
            hour = Hour(pair.hour_ms, Counts(*pair.counts))
            if not pair.agrees:
                self._settle(hour, pair)
            self.summary.add(hour)
            yield hour

    def _settle(self, hour: Hour, pair: HourPair) -> None:
        for span in self._spans(pair):
            if not self._settle_span(hour, span):
                hour.add_lag()
                return

    def _spans(self, pair: HourPair) -> Iterator[Span]:
        """Parts of the hour in which keys are to be looked at."""
        start_ms = max(pair.hour_ms, self.span.start_ms)
        end_ms = min(pair.hour_ms + HOUR_MS, self.span.end_ms)
        if max(pair.counts) < NARROWED_FROM:
            yield Span(start_ms, end_ms)
            return
        while start_ms < end_ms:
            minute = Span(start_ms, min(start_ms - start_ms % MINUTE_MS + MINUTE_MS, end_ms))
            if not all(part.agrees for part in self.sides.hours(minute)):
                yield minute
            start_ms = minute.end_ms

    def _settle_span(self, hour: Hour, span: Span) -> bool:
        """Two looks at each chunk of keys that differ; False when lag does not allow a second."""
        after: bytes | None = None
        while True:
            if self._passing.lag is not None:
                return False
            first = list(islice(self.sides.differences(span, after=after), CHUNK))
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
            lambda difference: difference.key <= last, self.sides.differences(span, after=after)
        )
        return [difference for difference in second if difference in held]

"""Compares warehouse and view, hour by hour. Command, API and admin page stand on this alone.

A difference is what was there at a first look and is there unchanged at a second one, after sink
and projector have handled everything that the feed held in between, and what the view does not
refuse: docs/decisions/0027.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from feed.event import HOUR_MS
from replay.domain import Span
from replay.verification.comparison import Difference, HourPair
from replay.verification.outcome import Counts, Hour, Summary
from replay.verification.passing import Passing
from replay.verification.sides import Sides

CHUNK = 10_000
"""Keys that differ at a first look and are held until the second one."""
NARROWED_FROM = 20_000
"""An hour of so many events is searched minute by minute, by figures first."""
SETTLED_EVERY_S = 3.0
"""So long first looks are gathered: hours share a wait, since with late events all of them differ
at any moment."""
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Look:
    """The keys above `after` in the span that differed at a first look, as many as were taken."""

    hour: Hour
    span: Span
    after: bytes | None
    first: list[Difference]


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
        memory is bounded by two chunks of keys and a page of each side. Raises as Sides, and
        FeedUnavailable."""
        compared: list[Hour] = []
        looks: list[_Look] = []
        due_s = 0.0
        for pair in self.sides.hours(self.span):
            if not looks:
                due_s = time.monotonic() + SETTLED_EVERY_S
            hour = Hour(pair.hour_ms, Counts(*pair.counts))
            compared.append(hour)
            if not pair.agrees:
                self._look(hour, pair, looks)
            if not looks or time.monotonic() >= due_s:
                self._settle(looks)
                yield from self._counted(compared)
        self._settle(looks)
        yield from self._counted(compared)

    def _counted(self, compared: list[Hour]) -> Iterator[Hour]:
        """Every one, which leaves none."""
        hours = list(compared)
        compared.clear()
        for hour in hours:
            self.summary.add(hour)
            yield hour

    def _look(self, hour: Hour, pair: HourPair, looks: list[_Look]) -> None:
        """First looks at an hour whose figures differ, added to those that are not settled yet;
        they are settled when they hold a chunk."""
        for span in self._spans(pair):
            after: bytes | None = None
            while True:
                if self._passing.lag is not None:
                    hour.add_lag()
                    return
                first = list(islice(self.sides.differences(span, after=after), CHUNK))
                if first:
                    looks.append(_Look(hour, span, after, first))
                if sum(len(look.first) for look in looks) >= CHUNK:
                    self._settle(looks)
                if len(first) < CHUNK:
                    break  # the span's end was seen; what came since is not chased
                after = first[-1].key

    def _settle(self, looks: list[_Look]) -> None:
        """Second looks, after one wait for all; none is left."""
        passed = not looks or self._passing.have_passed()
        for look in looks:
            if not passed:
                look.hour.add_lag()
                continue
            lasting = self._lasting(look)
            refused = self.sides.refused(lasting)
            found = [difference for difference in lasting if difference.key not in refused]
            look.hour.add(
                found,
                refused=len(refused),
                looked_at=len(look.first),
                most_kept=self._most_kept,
            )
            if found:
                self._found(found)
        looks.clear()

    def _spans(self, pair: HourPair) -> Iterator[Span]:
        """Parts of the hour in which keys are to be looked at."""
        start_ms = max(pair.hour_ms, self.span.from_ms)
        end_ms = min(pair.hour_ms + HOUR_MS, self.span.to_ms)
        if max(pair.counts) < NARROWED_FROM:
            yield Span(start_ms, end_ms)
            return
        while start_ms < end_ms:
            minute = Span(start_ms, min(start_ms - start_ms % MINUTE_MS + MINUTE_MS, end_ms))
            if not all(part.agrees for part in self.sides.hours(minute)):
                yield minute
            start_ms = minute.to_ms

    def _lasting(self, look: _Look) -> list[Difference]:
        """Those that are still there, with the same content on both sides. A key that changed in
        between is of a newer record, which may be on its way."""
        last, held = look.first[-1].key, set(look.first)
        second = takewhile(
            lambda difference: difference.key <= last,
            self.sides.differences(look.span, after=look.after),
        )
        return [difference for difference in second if difference in held]

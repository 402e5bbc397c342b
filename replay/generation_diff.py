"""What a generation shows other than the one that is served: counts by project, hour and event,
from the documents of both, a bounded page at a time."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from access.lookups import project_names
from feed.event import HOUR_MS
from replay import rebuilds
from replay.domain import Span
from replay.rows import ALL_TIMES
from replay.verification.comparison import HourPair, hour_pairs
from timeseries.backends import get_series_store
from timeseries.ports import SeriesStore

ENOUGH_S = 10.0
"""After so long a page ends, however little it holds."""
MAX_HOUR_DIGITS = 15


class Place(NamedTuple):
    """Where a page ends: all before this hour of this project was told, and of the hour all up to
    and including this event."""

    project: str
    hour_ms: int = 0
    event: str = ""


class Cell(NamedTuple):
    """Documents of one project, hour and event. Equal counts: their contents differ."""

    project: str
    hour_ms: int
    event: str
    served: int
    generation: int

    @property
    def place(self) -> Place:
        """Its own."""
        return Place(self.project, self.hour_ms, self.event)


@dataclass(frozen=True, slots=True)
class DiffPage:
    """Cells that differ, ascending; `after` is where the next page begins, None at the end."""

    cells: Sequence[Cell]
    after: Place | None


@dataclass(frozen=True, slots=True)
class Diff:
    """Of `generation` against the one that is `served`. What is written while it is read may show
    as a difference once: the two are read one after the other."""

    series: SeriesStore
    served: int
    generation: int
    projects: Sequence[str]

    def page(
        self,
        *,
        after: Place | None,
        limit: int,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> DiffPage:
        """At most `limit` cells past `after`. Raises SeriesUnavailable, QueryTimeout."""
        if self.generation == self.served:
            return DiffPage((), None)
        until_s = monotonic_s() + ENOUGH_S
        cells: list[Cell] = []
        for found in self._steps(after or Place("")):
            if isinstance(found, Cell):
                cells.append(found)
                if len(cells) == limit:
                    return DiffPage(cells, found.place)
            elif monotonic_s() > until_s:
                return DiffPage(cells, found)
        return DiffPage(cells, None)

    def _steps(self, after: Place) -> Iterator[Cell | Place]:
        """The cells, and after those of each hour the place past it: a page has one at least."""
        for project in self.projects:
            if project < after.project:
                continue
            is_first = project == after.project
            for pair in self._pairs(project, after.hour_ms if is_first else 0):
                is_first_hour = is_first and pair.hour_ms == after.hour_ms
                yield from _cells(project, pair, after.event if is_first_hour else "")
                yield Place(project, pair.hour_ms + HOUR_MS)

    def _pairs(self, project: str, from_ms: int) -> Iterator[HourPair]:
        span = Span(from_ms, ALL_TIMES[0].to_ms)
        served, generation = (
            self.series.hours(project, *span, generation=number)
            for number in (self.served, self.generation)
        )
        return hour_pairs(served, generation)


def against_served(generation: int) -> Diff:
    """Of this one, in every project. Raises UnknownGeneration, IllegalGenerationState."""
    return Diff(get_series_store(), rebuilds.diffable(generation), generation, project_names())


def _cells(project: str, pair: HourPair, after: str) -> Iterator[Cell]:
    one, other = pair.warehouse, pair.view
    for event in sorted(one.keys() | other.keys()):
        here, there = one.get(event, (0, 0)), other.get(event, (0, 0))
        if event > after and here != there:
            yield Cell(project, pair.hour_ms, event, here[0], there[0])


def write_place(place: Place) -> str:
    """As a cursor."""
    return f"{place.project}:{place.hour_ms}:{place.event}"


def read_place(text: str) -> Place | None:
    """None for what `write_place` did not write."""
    project, _, rest = text.partition(":")
    hour, colon, event = rest.partition(":")
    is_number = hour.isascii() and hour.isdecimal() and len(hour) <= MAX_HOUR_DIGITS
    return Place(project, int(hour), event) if colon and is_number else None

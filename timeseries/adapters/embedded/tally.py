"""What a batch brings to the rollups of one project, gathered in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from feed.event import HOUR_MS
from timeseries.adapters.embedded.schema import QUARTER_MS
from timeseries.adapters.embedded.values import Value

Values = Mapping[int, tuple[Value, ...]]
"""Every value of a document, by slot."""
Cell = tuple[int, int, int]
"""(slot, time of the hour in ms, event id)."""


@dataclass(slots=True)
class _HourOfEvent:
    """By slot: how many documents have which one value, and the numbers of those with several."""

    counts: dict[int, dict[Value, int]] = field(default_factory=dict)
    numbers: dict[int, list[float]] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """Documents that come (weight 1) and those that go (weight -1).

    `quarters` counts documents by (time of the quarter of an hour, event id); `several` are slots
    that a document has several values of; `stale` are cells whose numbers a document has left.
    """

    quarters: dict[tuple[int, int], int] = field(default_factory=dict)
    several: set[int] = field(default_factory=set)
    stale: set[Cell] = field(default_factory=set)
    _hours: dict[tuple[int, int], _HourOfEvent] = field(default_factory=dict)

    def add(self, time_ms: int, event_id: int, values: Values, weight: int = 1) -> None:
        """A document that comes, or goes. Runs for every document: one look-up a value."""
        quarter = time_ms - time_ms % QUARTER_MS, event_id
        self.quarters[quarter] = self.quarters.get(quarter, 0) + weight
        hour = time_ms - time_ms % HOUR_MS, event_id
        cell = self._hours.get(hour)
        if cell is None:
            cell = self._hours[hour] = _HourOfEvent()
        for slot, found in values.items():
            if len(found) == 1:
                counts = cell.counts.get(slot)
                if counts is None:
                    counts = cell.counts[slot] = {}
                counts[found[0]] = counts.get(found[0], 0) + weight
            else:
                self.several.add(slot)
                cell.numbers.setdefault(slot, []).extend(
                    value for value in found if isinstance(value, float)
                )

    def replace(self, time_ms: int, event_id: int, values: Values, weight: int) -> None:
        """A document that goes (-1), or the one that takes its place (1): the numbers of both
        must be read anew, since a least or a most can't be taken back."""
        self.add(time_ms, event_id, values, weight)
        hour = time_ms - time_ms % HOUR_MS
        for slot, found in values.items():
            if any(isinstance(value, float) for value in found):
                self.stale.add((slot, hour, event_id))

    def counts(self) -> dict[int, dict[tuple[int, int], dict[Value, int]]]:
        """How many documents have which one value, by slot, then by (hour, event id)."""
        found: dict[int, dict[tuple[int, int], dict[Value, int]]] = {}
        for hour, cell in self._hours.items():
            for slot, counts in cell.counts.items():
                found.setdefault(slot, {})[hour] = counts
        return found

    def numbers(self) -> Iterator[tuple[Cell, list[float]]]:
        """The numbers of each cell that has any, those of documents that go included once."""
        for (hour, event_id), cell in self._hours.items():
            for slot in cell.counts.keys() | cell.numbers.keys():
                numbers = list(cell.numbers.get(slot, ()))
                for value, n in cell.counts.get(slot, {}).items():
                    if isinstance(value, float):
                        numbers.extend([value] * max(n, 1))
                if numbers:
                    yield (slot, hour, event_id), numbers

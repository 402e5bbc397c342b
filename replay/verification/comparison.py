"""What differs between warehouse and view. Pure: over what both hold, wherever it was read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple, TypeVar

from timeseries.ports import DocumentHour, Entry
from warehouse.ports import HourCount

T = TypeVar("T")
Figures = Mapping[str, tuple[int, int]]
"""By event name: how many, and the sum of their hashes."""


class Kind(StrEnum):
    """How a key differs: not in the view, in both but not alike, not in the warehouse."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"


class Difference(NamedTuple):
    """A key, and what each side holds under it; None where it holds nothing."""

    key: bytes
    warehouse: Entry | None
    view: Entry | None

    @property
    def kind(self) -> Kind:
        """How it differs."""
        if self.view is None:
            return Kind.MISSING
        return Kind.EXTRA if self.warehouse is None else Kind.CHANGED


@dataclass(frozen=True, slots=True)
class HourPair:
    """The figures of one hour on both sides."""

    hour_ms: int
    warehouse: Figures
    view: Figures

    @property
    def agrees(self) -> bool:
        """Whether counts and sums of hashes are the same, event by event."""
        return self.warehouse == self.view

    @property
    def counts(self) -> tuple[int, int]:
        """Events in the warehouse, documents in the view."""
        return _total(self.warehouse), _total(self.view)


def differences(warehouse: Iterable[Entry], view: Iterable[Entry]) -> Iterator[Difference]:
    """The keys that differ, ascending. Both sides ascend by key; one entry of each is held."""
    for stored, shown in _paired(warehouse, view, _key_of):
        if stored != shown:
            key = stored.key if stored is not None else shown.key if shown is not None else b""
            yield Difference(key, stored, shown)


def hour_pairs(
    warehouse: Iterable[HourCount | DocumentHour], view: Iterable[DocumentHour]
) -> Iterator[HourPair]:
    """Every hour in which either side has something, ascending, as both sides are."""
    for stored, shown in _paired(_by_hour(warehouse), _by_hour(view), _hour_of):
        hour_ms = stored[0] if stored is not None else shown[0] if shown is not None else 0
        yield HourPair(hour_ms, stored[1] if stored else {}, shown[1] if shown else {})


def _paired(
    left: Iterable[T], right: Iterable[T], order: Callable[[T], int | bytes]
) -> Iterator[tuple[T | None, T | None]]:
    """Both in one ascending order: what has the same place in it comes together."""
    lefts, rights = iter(left), iter(right)
    one, other = next(lefts, None), next(rights, None)
    while one is not None or other is not None:
        if other is None or (one is not None and order(one) < order(other)):  # type: ignore[operator]  # both int or both bytes
            yield one, None
            one = next(lefts, None)
        elif one is None or order(other) < order(one):  # type: ignore[operator]  # as above
            yield None, other
            other = next(rights, None)
        else:
            yield one, other
            one, other = next(lefts, None), next(rights, None)


def _by_hour(counts: Iterable[HourCount | DocumentHour]) -> Iterator[tuple[int, Figures]]:
    for hour_ms, of_hour in groupby(counts, key=lambda count: count.hour_ms):
        yield hour_ms, {each.event: (each.count, each.hash_sum) for each in of_hour}


def _key_of(entry: Entry) -> bytes:
    return entry.key


def _hour_of(hour: tuple[int, Figures]) -> int:
    return hour[0]


def _total(figures: Figures) -> int:
    return sum(count for count, _ in figures.values())

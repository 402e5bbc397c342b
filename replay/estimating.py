"""What a replay would emit: counted in the warehouse, hour by hour, before anything is."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from feed.event import HOUR_MS
from replay.domain import Rate, Source
from replay.rows import windows
from warehouse.ports import EventStore, HourCount, Row, ScanWindow

SAMPLED_HOURS = 8
SAMPLED_ROWS = 100
FILTERED_PAGE_ROWS = 1_000
"""A store may filter what it has read: rows of other names cost a page, too."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Exact counts by hour and event, and the first and last time of occurrence, None of no
    events. `size_bytes` is from a sample of the records."""

    count: int
    hours: tuple[HourCount, ...]
    first_ms: int | None
    last_ms: int | None
    size_bytes: int

    def duration_s(self, rate: Rate) -> float | None:
        """Seconds at the rate chosen; None where that has no limit."""
        return self.count / rate.max_eps if rate.max_eps else None


@dataclass(frozen=True, slots=True)
class Total:
    """What the estimates of several sources come to."""

    count: int = 0
    size_bytes: int = 0
    first_ms: int | None = None
    last_ms: int | None = None

    def plus(self, found: Estimate) -> "Total":
        """With another one."""
        firsts, lasts = (self.first_ms, found.first_ms), (self.last_ms, found.last_ms)
        return Total(
            self.count + found.count,
            self.size_bytes + found.size_bytes,
            min((time for time in firsts if time is not None), default=None),
            max((time for time in lasts if time is not None), default=None),
        )


class EstimateStopped(Exception):
    """The caller wants no more of it. `hours` are those that were counted by then."""

    def __init__(self, hours: Sequence[HourCount] = ()) -> None:
        super().__init__((self.__doc__ or "").strip())
        self.hours = hours


def estimate(
    store: EventStore, source: Source, *, go_on: Callable[[], bool] = lambda: True
) -> Estimate:
    """Count. Raises EstimateStopped when `go_on`, asked again and again, says no, and
    StoreUnavailable."""
    hours: list[HourCount] = []
    try:
        for hour in count_hours(store, source, go_on=go_on):
            hours.append(hour)
        return _measured(store, source, hours, go_on)
    except EstimateStopped as exc:
        raise EstimateStopped(hours) from exc


def estimate_within(limit_s: float, store: EventStore, source: Source) -> Estimate:
    """Count for so long. Raises as `estimate`."""
    until_s = time.monotonic() + limit_s
    return estimate(store, source, go_on=lambda: time.monotonic() < until_s)


def _measured(
    store: EventStore, source: Source, hours: Sequence[HourCount], go_on: Callable[[], bool]
) -> Estimate:
    if not hours:
        return Estimate(0, (), None, None, 0)
    count = sum(hour.count for hour in hours)
    return Estimate(
        count,
        tuple(hours),
        _first_ms(store, source, hours[0].hour_ms, go_on),
        _last_ms(store, source, hours[-1].hour_ms, go_on),
        round(count * _mean_bytes(store, source, hours, go_on)),
    )


def estimate_all(
    store: EventStore, sources: Iterable[Source], *, go_on: Callable[[], bool] = lambda: True
) -> Total:
    """Count one after the other; the hours of one are held at a time. Raises as `estimate`."""
    total = Total()
    for source in sources:
        total = total.plus(estimate(store, source, go_on=go_on))
    return total


def count_hours(
    store: EventStore, source: Source, *, go_on: Callable[[], bool] = lambda: True
) -> Iterator[HourCount]:
    """Counts by hour and event, ascending; an hour that several spans touch comes once. Raises as
    `estimate`."""
    held: dict[str, HourCount] = {}
    for window in windows(source):
        _ask(go_on)  # thousands of spans may hold nothing
        for found in store.hours(window, tick=partial(_ask, go_on)):
            if held and next(iter(held.values())).hour_ms != found.hour_ms:
                yield from held.values()
                held = {}
            held[found.event] = _sum(held.get(found.event), found)
    yield from held.values()


def _ask(go_on: Callable[[], bool]) -> None:
    if not go_on():
        raise EstimateStopped


def _sum(one: HourCount | None, other: HourCount) -> HourCount:
    if one is None:
        return other
    count, hash_sum = one.count + other.count, one.hash_sum + other.hash_sum
    return HourCount(one.hour_ms, one.event, count, hash_sum)


def _first_ms(store: EventStore, source: Source, hour_ms: int, go_on: Callable[[], bool]) -> int:
    """By halving: the earliest t such that [hour, t] has an event."""
    low, high = hour_ms, hour_ms + HOUR_MS - 1
    while low < high:
        middle = (low + high) // 2
        if _has_event(store, source, hour_ms, middle + 1, go_on):
            high = middle
        else:
            low = middle + 1
    return low


def _last_ms(store: EventStore, source: Source, hour_ms: int, go_on: Callable[[], bool]) -> int:
    """By halving: the latest t such that [t, end of the hour) has an event."""
    end_ms = hour_ms + HOUR_MS
    low, high = hour_ms, end_ms - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _has_event(store, source, middle, end_ms, go_on):
            low = middle
        else:
            high = middle - 1
    return low


def _has_event(
    store: EventStore, source: Source, start_ms: int, end_ms: int, go_on: Callable[[], bool]
) -> bool:
    return any(_first_rows(store, part, 1, go_on) for part in _clipped(source, start_ms, end_ms))


def _clipped(source: Source, start_ms: int, end_ms: int) -> Iterator[ScanWindow]:
    for window in windows(source):
        from_ms, to_ms = max(window.start_ms, start_ms), min(window.end_ms, end_ms)
        if from_ms < to_ms:
            yield ScanWindow(window.project, from_ms, to_ms, window.events)


def _mean_bytes(
    store: EventStore, source: Source, hours: Sequence[HourCount], go_on: Callable[[], bool]
) -> float:
    """Over the first rows of a few hours, spread over all."""
    starts = sorted({hour.hour_ms for hour in hours})
    sizes: list[int] = []
    for hour_ms in starts[:: max(1, len(starts) // SAMPLED_HOURS)]:
        for part in _clipped(source, hour_ms, hour_ms + HOUR_MS):
            sizes += [len(row.record) for row in _first_rows(store, part, SAMPLED_ROWS, go_on)]
    return sum(sizes) / len(sizes) if sizes else 0.0


def _first_rows(
    store: EventStore, window: ScanWindow, count: int, go_on: Callable[[], bool]
) -> Sequence[Row]:
    """Some of the first rows, at most `count`; none where there are none."""
    page_rows = FILTERED_PAGE_ROWS if window.events else count
    for page in store.scan(window, page_rows=page_rows):
        _ask(go_on)
        if page.rows:
            return page.rows[:count]
    return ()

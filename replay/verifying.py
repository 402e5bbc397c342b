"""A rebuild's last step: all that the warehouse holds against the generation that was built, hour
by hour, as reconcile does. What is only on its way is no difference."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import TypeVar

from access.lookups import project_names
from feed.clock import Clock
from feed.errors import Backpressure
from feed.event import HOUR_MS
from feed.fences import refused_keys
from feed.ports import Feed
from feed.topics import Group
from replay.domain import Span, State, Throttle
from replay.leases import Lease
from replay.rows import ALL_TIMES
from replay.tending import Held, Tending, Unattended
from replay.verification.outcome import Hour, Verdict
from replay.verification.passing import Passing
from replay.verification.reconciliation import Reconciliation
from replay.verification.sides import Sides
from timeseries.errors import QueryTimeout, SeriesBackpressure
from timeseries.ports import SeriesStore
from warehouse.errors import StoreBackpressure
from warehouse.ports import EventStore

T = TypeVar("T")
ENOUGH_HOURS = 100
"""No more are looked for once so many differ."""
NAMED_HOURS = 10
WINDOW_MS = 31 * 24 * HOUR_MS
"""Compared at a time: a year of a big project at once takes an engine longer than a query may."""
RETRY_S = 1.0
_BEHIND = {Group.SINK: Throttle.SINK, Group.PROJECTOR: Throttle.PROJECTOR}


@dataclass(slots=True)
class Findings:
    """What a verification found: how much was compared, how many events the view refuses, and the
    hours that differ, in words."""

    hour_count: int = 0
    event_count: int = 0
    refused_count: int = 0
    different: list[str] = field(default_factory=list)

    def add(self, project: str, hour: Hour) -> None:
        """Count an hour in."""
        self.hour_count += 1
        self.event_count += hour.counts.warehouse
        self.refused_count += hour.counts.refused
        if hour.state is Verdict.DIFFERENT:
            self.different.append(_named(project, hour))

    @property
    def is_enough(self) -> bool:
        """Whether looking further would tell nobody more."""
        return len(self.different) >= ENOUGH_HOURS

    def sentence(self) -> str:
        """In words."""
        return f"{self._compared()}; {self._refused()}"

    def _refused(self) -> str:
        count = self.refused_count
        said = f"{count} event{'' if count == 1 else 's'} refused by the view"
        return f"{said}, see Dead letters" if count else said

    def _compared(self) -> str:
        if not self.different:
            alike = "equal but for what is refused" if self.refused_count else "equal"
            return f"{alike}: {self.event_count} events in {self.hour_count} hours"
        count, named = len(self.different), "; ".join(self.different[:NAMED_HOURS])
        many = f"at least {count}" if self.is_enough else f"{count}"
        more = ", …" if count > NAMED_HOURS else ""
        return f"warehouse and generation differ in {many} of the hours: {named}{more}"


def _named(project: str, hour: Hour) -> str:
    counts = hour.counts
    at = datetime.fromtimestamp(hour.hour_ms / 1000, UTC)
    kinds = (
        f"{number} {kind}"
        for kind, number in (
            *(("missing", counts.missing), ("changed", counts.changed)),
            ("extra", counts.extra),
        )
        if number
    )
    return f"{project} {at:%Y-%m-%dT%H:00Z} ({', '.join(kinds)})"


def windows_of(store: EventStore, project: str) -> list[Span]:
    """All times in parts that follow one another, those with events in parts of WINDOW_MS. Raises
    StoreUnavailable."""
    start_ms, end_ms = ALL_TIMES[0]
    hours = [partition.hour_ms for partition in store.partitions(project, start_ms, end_ms)]
    edges = {start_ms, end_ms}
    if hours:
        edges |= {hours[-1] + HOUR_MS, *range(hours[0], hours[-1] + HOUR_MS, WINDOW_MS)}
    return [Span(*pair) for pair in pairwise(sorted(edges))]


class Verifying:
    """Of one claimed rebuild. Used from one thread, once."""

    def __init__(
        self,
        lease: Lease,
        generation: int,
        *,
        feed: Feed,
        store: EventStore,
        series: SeriesStore,
        stop: threading.Event,
        clock: Clock,
        waits_for_workers: bool,
        others: Callable[[], object] = lambda: None,
    ) -> None:
        """`waits_for_workers`: also for a sink and a projector that do not run."""
        self._replay, self._generation = lease.replay, generation
        self._feed, self._store, self._series = feed, store, series
        self._waits_for_workers = waits_for_workers
        self._held = Held(clock.monotonic_s)
        self._behind = Throttle.PROJECTOR
        self._tending = Tending(
            *(lease, State.VERIFYING),
            stop=stop,
            clock=clock,
            columns=lambda: {"throttled_by": self._held.tell()},
            others=others,
        )
        self._findings = Findings()

    def run(self) -> Findings:
        """Compare every project. An engine that is away, and a group that is behind, are waited
        for. Raises Interrupted, LeaseLost, Unattended."""
        self._insist(lambda: self._series.ensure(self._generation))
        for project in project_names():
            for window in self._insist(partial(windows_of, self._store, project)):
                if not self._findings.is_enough:
                    self._compare(project, window)
        return self._findings

    def _compare(self, project: str, window: Span) -> None:
        start_ms = window.from_ms

        def go_on() -> bool:
            nonlocal start_ms
            if start_ms >= window.to_ms:
                return True
            span = Span(start_ms, window.to_ms)
            for hour in self._reconciliation(project, span).hours():
                if hour.state is Verdict.LAGGING:
                    return False
                self._findings.add(project, hour)
                start_ms = hour.hour_ms + HOUR_MS
                if self._findings.is_enough:
                    break
            return True

        while not self._insist(go_on):
            if not self._waits_for_workers:
                raise Unattended(self._behind)
            self._wait(self._behind, RETRY_S)

    def _reconciliation(self, project: str, span: Span) -> Reconciliation:
        sides = Sides(
            *(project, self._generation, self._store, self._series),
            tick=self._tending.tick,
            noted=partial(refused_keys, self._replay),
        )
        passing = Passing(self._feed, wait_s=float("inf"), tell=self._note_behind)
        return Reconciliation(sides, span, passing, most_kept=0)

    def _insist(self, work: Callable[[], T]) -> T:
        """What `work` returns, once every engine that it needs answers."""
        while True:
            self._tending.tick()  # thousands of projects may hold nothing
            try:
                return work()
            except StoreBackpressure as exc:
                self._wait(Throttle.WAREHOUSE, exc.retry_after_s)
            except SeriesBackpressure as exc:
                self._wait(Throttle.VIEW, exc.retry_after_s)
            except QueryTimeout:
                self._wait(Throttle.VIEW, RETRY_S)
            except Backpressure as exc:
                self._wait(Throttle.FEED, exc.retry_after_s)

    def _wait(self, cause: Throttle, seconds: float) -> None:
        self._held.note(cause, seconds)
        self._tending.nap(seconds)

    def _note_behind(self, group: Group, _: int) -> None:
        """Told again and again while a group is waited for."""
        self._behind = _BEHIND[group]
        self._held.note(self._behind, RETRY_S)
        self._tending.tick()

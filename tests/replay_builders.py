"""Builders of replays: what is in the warehouse, an order for it, and a replayer that works."""

import threading
from collections.abc import Callable, Sequence

import pytest
from django.core.management import call_command

from feed.clock import Clock
from feed.event import Event
from replay import estimating, orders, services
from replay.domain import Rate, Source, Span
from replay.estimating import estimate
from replay.journal import Actor, Via
from replay.models import Replay
from replay.replayer import Replayer
from tests.builders import NOON_MS, make_event
from tests.local_pipeline import LocalPipeline
from warehouse.ports import EventStore

HOUR_MS = 3_600_000
ANNA = Actor("anna", Via.COMMAND)
FAST = Rate(max_eps=None, auto=False)


def fill(pipeline: LocalPipeline, count: int, *, project: str = "demo") -> list[Event]:
    """Events over five hours before noon, ingested, stored and projected."""
    made = [
        make_event(
            project=project,
            id=f"e-{number}",
            event="signup" if number % 3 else "order",
            occurred_at_ms=NOON_MS - 5 * HOUR_MS + number * 5 * HOUR_MS // count,
            properties=f'{{"ms": {number % 7}, "plan": "p{number % 2}"}}',
        )
        for number in range(count)
    ]
    pipeline.publish_events(made)
    pipeline.store()
    pipeline.project()
    return made


def make_order(
    *,
    project: str = "demo",
    from_ms: int = NOON_MS - 5 * HOUR_MS,
    to_ms: int = NOON_MS,
    spans: Sequence[Span] = (),
    events: tuple[str, ...] = (),
    rate: Rate = FAST,
    reason: str = "a test",
    idempotency_key: str | None = None,
) -> orders.Order:
    """An order for all that `fill` made."""
    source = Source(project, tuple(spans) or (Span(from_ms, to_ms),), events)
    return orders.Order(source, rate, reason, idempotency_key=idempotency_key)


def stop_counting_after(hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every preview and creation runs out of time once it has so many hours whole: asked before
    the first, and in each, of which the last is not known to be whole."""

    def estimate_in_part(
        store: EventStore, source: Source, *, go_on: Callable[[], bool]
    ) -> estimating.Estimate:
        left = iter(range(1 + hours + 1))
        return estimate(store, source, go_on=lambda: next(left, None) is not None)

    monkeypatch.setattr(estimating, "estimate", estimate_in_part)


def started(pipeline: LocalPipeline, order: orders.Order | None = None) -> Replay:
    """A replay that waits for a replayer."""
    row = orders.create(order or make_order(), ANNA, pipeline.events)
    return services.start(row.id, ANNA)


def make_replayer(
    pipeline: LocalPipeline, stop: threading.Event | None = None, *, clock: Clock | None = None
) -> Replayer:
    """A replayer of this process."""
    stop = stop or threading.Event()
    return Replayer(pipeline.feed, pipeline.events, pipeline.series, stop=stop, clock=clock)


def run_to_the_end(pipeline: LocalPipeline) -> None:
    """Emit, project, and note that it is done."""
    call_command("run_replayer", once=True)
    pipeline.project()
    call_command("run_replayer", once=True)


class Stopping:
    """A store whose scan lets something happen after some pages."""

    def __init__(self, pipeline: LocalPipeline, after_pages: int, happen: object) -> None:
        self._store, self._left, self._happen = pipeline.events, after_pages, happen

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def scan(self, *args: object, **options: object) -> object:
        for page in self._store.scan(*args, **options):  # type: ignore[arg-type]
            if self._left == 0:
                self._happen()  # type: ignore[operator]
            self._left -= 1
            yield page

"""A replay of exactly what a comparison found missing or changed."""

from dataclasses import dataclass

from feed.clock import Clock
from operations.reconcile.gap import Gap
from replay import orders, services
from replay.domain import Rate, Source, State
from replay.journal import Actor
from warehouse.ports import EventStore

REASON = "reconcile found the view different from the warehouse"


@dataclass(frozen=True, slots=True)
class Repair:
    """`replay`: the id of the replay that was started, None where nothing can be replayed.
    `later_count`: spans of events dated ahead, which have to wait until their time has come."""

    replay: str | None
    later_count: int


def repair(gap: Gap, project: str, actor: Actor, store: EventStore, *, clock: Clock) -> Repair:
    """Start a replay in place of the gap, as fast as live events let it. What it emits twice, or
    another replay emits too, changes nothing. Raises as `replay.orders.create`."""
    now_ms = clock.now_ms()
    due = tuple(span for span in gap.spans if span.to_ms <= now_ms)
    later_count = len(gap.spans) - len(due)
    if not due:
        return Repair(None, later_count)
    order = orders.Order(Source(project, due), Rate(), REASON)
    row = orders.create(order, actor, store, clock=clock)
    if State(row.state) is not State.COMPLETED:  # of no events: they are gone meanwhile
        services.start(row.id, actor, clock=clock)
    return Repair(row.id, later_count)

"""A replay of exactly what a comparison found missing or changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from feed.clock import Clock
from replay import orders, services
from replay.domain import LEGAL, Move, Rate, Source, Span, State
from replay.errors import IllegalMove
from replay.journal import Actor
from replay.models import Replay
from warehouse.ports import EventStore

REASON = "reconcile found the view different from the warehouse"


@dataclass(frozen=True, slots=True)
class Repair:
    """`replay`: the one that repairs, None where nothing can be replayed. `later_count`: spans of
    events dated ahead, which have to wait until their time has come; None where that is not
    known."""

    replay: Replay | None
    later_count: int | None


def order_for(
    project: str, compared: Span, *, reason: str = REASON, idempotency_key: str | None = None
) -> orders.Order:
    """An order for what differs within `compared`, as fast as live events let it. The same is asked
    for again by the same range, whatever differs by then."""
    source = Source(project, (compared,))
    return orders.Order(source, Rate(), reason, idempotency_key=idempotency_key, compared=compared)


def repair(
    order: orders.Order,
    spans: Sequence[Span],
    actor: Actor,
    store: EventStore,
    *,
    is_to_start: bool = True,
    clock: Clock,
) -> Repair:
    """Order a replay of these spans, and start it. What it emits twice, or another replay emits
    too, changes nothing. Raises as `replay.orders.create`."""
    now_ms = clock.now_ms()
    due = tuple(span for span in spans if span.to_ms <= now_ms)
    later_count = len(spans) - len(due)
    if not due:
        return Repair(None, later_count)
    source = replace(order.source, spans=due)
    row = orders.create(replace(order, source=source), actor, store, clock=clock)
    return Repair(begun(row, actor, clock=clock) if is_to_start else row, later_count)


def begun(row: Replay, actor: Actor, *, clock: Clock) -> Replay:
    """Started, unless it was before or has nothing to do. Whoever died before starting it, and
    asks again, has it started."""
    if State(row.state) not in LEGAL[Move.START]:
        return row
    try:
        return services.start(row.id, actor, clock=clock)
    except IllegalMove:  # the same request did at the same moment
        return services.get(row.id)

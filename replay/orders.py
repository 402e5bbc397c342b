"""Orders: what somebody wants replayed, and the replay that is made of it.

Permissions are the door's: whoever calls this may.
"""

from dataclasses import dataclass
from hashlib import blake2b

from django.db import IntegrityError, transaction

from access.problems import Code
from access.texts import is_text
from feed.clock import Clock
from replay import journal
from replay.domain import (
    MAX_EVENT_NAMES,
    MAX_REASON_CHARS,
    MAX_SPANS,
    Mode,
    Rate,
    Source,
    Span,
    State,
    new_replay_id,
)
from replay.errors import InvalidReplay, KeyReused
from replay.estimating import Estimate, EstimateStopped, Total, estimate_within
from replay.journal import Actor
from replay.models import Replay
from replay.services import CLOCK, check_rate
from warehouse.errors import StoreBackpressure
from warehouse.ports import EventStore

COUNT_S = 5.0
"""How long a preview and a creation count. What takes longer is counted by the replayer."""
NO_TEXT = "holds what no store can keep: NUL, or a lone surrogate"


@dataclass(frozen=True, slots=True)
class Order:
    """A replay that somebody wants. `idempotency_key`: the same order again is the same replay.
    `compared`: the range that was compared, of an order for what differs there; whoever asks for
    the same range again asks for the same, whatever differs by then."""

    source: Source
    rate: Rate
    reason: str
    mode: Mode = Mode.IN_PLACE
    idempotency_key: str | None = None
    compared: Span | None = None

    def digest(self) -> str:
        """Says whether two orders are the same."""
        said = repr((self.compared or self.source, self.rate, self.reason, self.mode))
        return blake2b(said.encode(), digest_size=32).hexdigest()


def check(order: Order, *, now_ms: int) -> None:
    """Raises InvalidReplay for what can't be run."""
    source = order.source
    if source.from_ms > source.to_ms:
        raise InvalidReplay("source.to", "source.to lies before source.from: from ≤ t < to")
    if source.to_ms > now_ms:
        raise InvalidReplay(
            "source.to",
            "source.to lies in the future: what is not there yet is projected when it comes",
            code=Code.TIMESTAMP_IN_FUTURE,
        )
    if len(source.spans) > MAX_SPANS:
        raise InvalidReplay("source", f"a replay has at most {MAX_SPANS} spans")
    if len(source.events) > MAX_EVENT_NAMES:
        raise InvalidReplay("filter.events", f"filter.events takes {MAX_EVENT_NAMES} at most")
    if not all(is_text(name) for name in source.events):
        raise InvalidReplay("filter.events", f"filter.events {NO_TEXT}")
    check_rate(order.rate)


def create(order: Order, actor: Actor, store: EventStore, *, clock: Clock = CLOCK) -> Replay:
    """A replay in state `ready`; `draft` where counting takes long or the warehouse is away;
    `completed` of no events.

    The same order under the same idempotency key gives the replay it gave before. Raises
    InvalidReplay, KeyReused.
    """
    now_ms = clock.now_ms()
    check(order, now_ms=now_ms)
    check_reason(order.reason)
    known = known_replay(order)
    if known is not None:
        return known
    row = new_row(order, actor, now_ms=now_ms)
    _count(row, order.source, store)
    try:
        insert(row, actor)
    except IntegrityError:
        known = known_replay(order)  # the same request at the same moment
        if known is None:
            raise
        return known
    return row


def check_reason(reason: str) -> None:
    """Raises InvalidReplay."""
    if not reason.strip() or len(reason) > MAX_REASON_CHARS:
        raise InvalidReplay("reason", f"a reason is required, of 1 to {MAX_REASON_CHARS} letters")
    if not is_text(reason):
        raise InvalidReplay("reason", f"the reason {NO_TEXT}")


def insert(row: Replay, actor: Actor) -> None:
    """Save a new replay, and say so in its log. Raises IntegrityError for a key that was used."""
    with transaction.atomic():
        row.save(force_insert=True)
        journal.note(
            *(row.id, actor, "create"),
            at_ms=row.created_at_ms,
            before=None,
            after=State(row.state),
            detail=row.reason,
        )


def known_replay(order: Order) -> Replay | None:
    """What the same order under the same idempotency key gave before. Raises KeyReused for another
    order."""
    if order.idempotency_key is None:
        return None
    row = Replay.objects.filter(
        project=order.source.project, idempotency_key=order.idempotency_key
    ).first()
    if row is not None and row.request_digest != order.digest():
        raise KeyReused
    return row


def new_row(order: Order, actor: Actor, *, now_ms: int) -> Replay:
    """A draft of it, not saved."""
    source = order.source
    spans = [[span.from_ms, span.to_ms] for span in source.spans]
    return Replay(
        id=new_replay_id(now_ms),
        project=source.project,
        from_ms=source.from_ms,
        to_ms=source.to_ms,
        spans=spans if len(spans) > 1 else [],
        events=list(source.events),
        mode=order.mode.value,
        max_eps=order.rate.max_eps,
        auto=order.rate.auto,
        reason=order.reason,
        requested_by=actor.kept_name,
        idempotency_key=order.idempotency_key,
        request_digest=order.digest(),
        state=State.DRAFT.value,
        created_at_ms=now_ms,
    )


def _count(row: Replay, source: Source, store: EventStore) -> None:
    try:
        found = estimate_within(COUNT_S, store, source)
    except (StoreBackpressure, EstimateStopped):
        return
    for name, value in estimate_columns(found).items():
        setattr(row, name, value)
    row.state = (State.READY if found.count else State.COMPLETED).value
    if not found.count:
        row.finished_at_ms = row.created_at_ms


def estimate_columns(found: Estimate | Total) -> dict[str, int | None]:
    """What a row keeps of an estimate."""
    return {
        "estimated": found.count,
        "estimated_bytes": found.size_bytes,
        "first_ms": found.first_ms,
        "last_ms": found.last_ms,
    }

"""Orders: what somebody wants replayed, what it would do, and the replay that is made of it.

Permissions are the door's: whoever calls this may.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from django.db import IntegrityError, transaction

from access.problems import Code
from feed.clock import Clock
from ingest.timestamps import format_time
from replay import journal
from replay.domain import (
    FINAL,
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
from replay.estimating import Estimate, EstimateStopped, Total, estimate
from replay.journal import Actor
from replay.models import MAX_ACTOR_CHARS, Replay
from replay.services import CLOCK, check_rate
from warehouse.errors import StoreBackpressure
from warehouse.ports import EventStore, HourCount

COUNT_S = 5.0
"""How long a preview and a creation count. What takes longer is counted by the replayer."""


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


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do: the count, the replays in force that overlap, newest first, and the
    effect in plain words. Where counting took too long, `is_whole` is false: the estimate has the
    hours that were counted by then, neither first, last nor size, and there is no duration."""

    estimate: Estimate
    is_whole: bool
    duration_s: float | None
    overlaps: tuple[str, ...]
    effect: str


# -- before --


def preview(
    order: Order, store: EventStore, *, limit_s: float = COUNT_S, clock: Clock = CLOCK
) -> Preview:
    """Count for so long what the order would emit. Raises InvalidReplay, StoreUnavailable."""
    check(order, now_ms=clock.now_ms())
    project, overlaps = order.source.project, tuple(overlapping(order.source))
    try:
        found = _estimate_within(limit_s, order.source, store)
    except EstimateStopped as exc:
        count = sum(hour.count for hour in exc.hours)
        partial = Estimate(count, tuple(exc.hours), None, None, 0)
        return Preview(partial, False, None, overlaps, _effect_in_part(exc.hours, project, limit_s))
    effect = _effect(found.count, project)
    return Preview(found, True, found.duration_s(order.rate), overlaps, effect)


def overlapping(source: Source) -> list[str]:
    """Ids of the project's replays in force whose range meets this one's, newest first. They do no
    harm to each other: each writes what the warehouse has."""
    in_force = Replay.objects.exclude(state__in=[state.value for state in FINAL])
    met = in_force.filter(
        project=source.project, from_ms__lt=source.to_ms, to_ms__gt=source.from_ms
    )
    return list(met.values_list("id", flat=True))


def _effect(count: int, project: str) -> str:
    if not count:
        return "Nothing: the warehouse has no such events."
    return (
        f"{count:,} events of {project} are written again, as the warehouse has them, into every "
        "generation of the view. Figures change only where the view differs from the warehouse."
    )


def _effect_in_part(hours: Sequence[HourCount], project: str, limit_s: float) -> str:
    known = "none was counted by then"
    if hours:
        count = sum(hour.count for hour in hours)
        last = format_time(hours[-1].hour_ms)
        known = f"{count:,} events of {project} were counted by then, up to the hour of {last}"
    return (
        f"Counting took longer than {limit_s:g} s: {known}. A replayer counts all of them when the "
        "replay is started. Figures change only where the view differs from the warehouse."
    )


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
    if order.mode is not Mode.IN_PLACE:
        raise InvalidReplay(
            "target.mode", "a replay is in_place: a rebuild is started with POST /v1/generations"
        )
    check_rate(order.rate)


# -- creation --


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
        requested_by=actor.name[:MAX_ACTOR_CHARS],
        idempotency_key=order.idempotency_key,
        request_digest=order.digest(),
        state=State.DRAFT.value,
        created_at_ms=now_ms,
    )


def _count(row: Replay, source: Source, store: EventStore) -> None:
    try:
        found = _estimate_within(COUNT_S, source, store)
    except (StoreBackpressure, EstimateStopped):
        return
    for name, value in estimate_columns(found).items():
        setattr(row, name, value)
    row.state = (State.READY if found.count else State.COMPLETED).value
    if not found.count:
        row.finished_at_ms = row.created_at_ms


def _estimate_within(limit_s: float, source: Source, store: EventStore) -> Estimate:
    """Raises EstimateStopped after so long."""
    until_s = time.monotonic() + limit_s
    return estimate(store, source, go_on=lambda: time.monotonic() < until_s)


def estimate_columns(found: Estimate | Total) -> dict[str, int | None]:
    """What a row keeps of an estimate."""
    return {
        "estimated": found.count,
        "estimated_bytes": found.size_bytes,
        "first_ms": found.first_ms,
        "last_ms": found.last_ms,
    }

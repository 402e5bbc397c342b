"""Everything that people ask of generations of the view: the one service behind REST, the commands
and the admin.

Permissions are the door's: whoever calls this may. Each change is one transaction with its entry in
the log of the rebuild that made the generation, or, of the first one, which no rebuild made, of the
one that is served.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from feed.clock import Clock
from replay import journal, orders, services
from replay.domain import (
    FINAL,
    GENERATION_DIFFERS,
    WHOLE_VIEW,
    Mode,
    Rate,
    State,
)
from replay.errors import IllegalMove
from replay.journal import Actor
from replay.models import Replay
from replay.services import CLOCK, check_rate
from timeseries import lifecycle
from timeseries.errors import IllegalGenerationState, SeriesBackpressure, UnknownGeneration
from timeseries.lifecycle import GenerationRow

VERIFIED = (State.COMPLETED.value, State.COMPLETED_WITH_ERRORS.value)
DEFAULT_RATE = Rate(max_eps=None, auto=True)
"""A whole view at the rate of a repair would take days; live events come first all the same."""


@dataclass(frozen=True, slots=True)
class Built:
    """A generation, and the rebuild that made it; None of the first one."""

    row: GenerationRow
    rebuild: Replay | None


# -- looking --


def all_built() -> list[Built]:
    """Every generation there ever was, newest first."""
    made = Replay.objects.filter(mode=Mode.NEW_GENERATION.value)
    # Before the generations: a rebuild that ends between the two is seen as not yet ended, with a
    # generation that is ready, and never the other way round. One that begins there is asked for.
    rebuilds = {rebuild.generation: rebuild for rebuild in made}
    rows = lifecycle.generation_states()
    others = [row.number for row in rows if row.number not in rebuilds]
    rebuilds |= {rebuild.generation: rebuild for rebuild in made.filter(generation__in=others)}
    return [Built(row, rebuilds.get(row.number)) for row in reversed(rows)]


def get(generation: int) -> Built:
    """One of them. Raises UnknownGeneration."""
    for built in all_built():
        if built.row.number == generation:
            return built
    raise UnknownGeneration(f"there is no generation {generation} of the view")


def diffable(generation: int) -> int:
    """The one that it is compared with. Raises UnknownGeneration, IllegalGenerationState."""
    _refuse_dropped(get(generation))
    return served().row.number


def served() -> Built:
    """The one that queries read."""
    return next(built for built in all_built() if built.row.is_served)


def is_judged(rebuild: Replay) -> bool:
    """Whether its last verification came to its end, whatever came of it."""
    differs = rebuild.state == State.FAILED.value and rebuild.error_code == GENERATION_DIFFERS
    return differs or rebuild.state in VERIFIED


def can_be_verified(built: Built) -> bool:
    """Whether `verify` is legal: also where somebody cancelled the last verification."""
    if built.rebuild is None or built.row.state == "dropped":
        return False
    was_cancelled = built.row.state == "ready" and built.rebuild.state == State.CANCELLED.value
    return was_cancelled or is_judged(built.rebuild)


# -- building --


def begin(
    reason: str,
    rate: Rate,
    actor: Actor,
    *,
    idempotency_key: str | None = None,
    clock: Clock = CLOCK,
) -> Replay:
    """A new generation and the replay that builds it, which a replayer counts and begins at once.

    The same request under the same idempotency key gives the replay it gave before. Raises
    InvalidReplay, KeyReused, IllegalGenerationState while another one is being built.
    """
    check_rate(rate)
    orders.check_reason(reason)
    order = orders.Order(WHOLE_VIEW, rate, reason, Mode.NEW_GENERATION, idempotency_key)
    known = orders.known_replay(order)
    if known is not None:
        return known
    row = orders.new_row(order, actor, now_ms=clock.now_ms())
    row.state, row.started_at_ms = State.ESTIMATING.value, row.created_at_ms
    try:
        with transaction.atomic():
            row.generation = lifecycle.begin_generation()
            orders.insert(row, actor)
    except (IntegrityError, IllegalGenerationState):
        known = orders.known_replay(order)  # the same request at the same moment
        if known is None:
            raise
        return known
    return row


def verify(generation: int, actor: Actor, *, clock: Clock = CLOCK) -> Built:
    """A replayer compares it with the warehouse again. Raises UnknownGeneration,
    IllegalGenerationState."""
    built = get(generation)
    if built.rebuild is None:
        raise IllegalGenerationState(
            f"generation {generation} was made by no rebuild: reconcile compares what is served"
        )
    with transaction.atomic():
        row = Replay.objects.select_for_update().get(pk=built.rebuild.pk)
        _refuse_dropped(get(generation))
        if not can_be_verified(Built(built.row, row)):
            raise IllegalGenerationState(f"its rebuild is {row.state}: {_unverified(row)}")
        before, row.state = State(row.state), State.VERIFYING.value
        row.error_code = row.error_detail = ""
        row.finished_at_ms, row.marks = None, []
        row.save(update_fields=["state", "error_code", "error_detail", "finished_at_ms", "marks"])
        now_ms = clock.now_ms()
        after = State.VERIFYING
        journal.note(row.id, actor, "verify", at_ms=now_ms, before=before, after=after)
    return get(generation)


# -- serving --


def swap(generation: int, actor: Actor, *, clock: Clock = CLOCK) -> Built:
    """Queries read it from now on; what was served stays written. Raises UnknownGeneration,
    IllegalGenerationState for one that is not ready, or whose last verification is not passed."""
    built, was = get(generation), served()
    with transaction.atomic():
        if built.rebuild is not None and not built.row.is_served:
            row = Replay.objects.select_for_update().get(pk=built.rebuild.pk)
            if row.state not in VERIFIED:
                raise IllegalGenerationState(f"its rebuild is {row.state}: {_unverified(row)}")
        lifecycle.swap(generation)
        detail = f"generation {generation} is served, instead of {was.row.number}"
        _note(built.rebuild or was.rebuild, actor, "swap", detail, clock)
    return get(generation)


def rollback(actor: Actor, *, generation: int | None = None, clock: Clock = CLOCK) -> Built:
    """Queries read again what was served before; that one is returned. With `generation`: only if
    that is the one to go back from. Raises UnknownGeneration, IllegalGenerationState."""
    was = served() if generation is None else get(generation)
    if not was.row.is_served:
        raise IllegalGenerationState(f"generation {generation} is not served: nothing to go back")
    with transaction.atomic():
        number = lifecycle.rollback(was.row.number)
        detail = f"generation {number} is served again, instead of {was.row.number}"
        _note(was.rebuild or get(number).rebuild, actor, "rollback", detail, clock)
    return get(number)


def roll_back_from(generation: int, actor: Actor) -> Built:
    """`rollback`, only if this one is served."""
    return rollback(actor, generation=generation)


def drop(generation: int, actor: Actor, *, clock: Clock = CLOCK) -> Built:
    """Never write or read it again, and free what it holds; a rebuild that still builds it is
    cancelled. While the view is away the replayer frees it later.

    Raises UnknownGeneration, IllegalGenerationState for the one that is served.
    """
    built = get(generation)
    if built.row.is_served:
        raise IllegalGenerationState(f"generation {generation} is served: swap to another first")
    if built.rebuild is not None and State(built.rebuild.state) not in FINAL:
        with suppress(IllegalMove):  # it has ended, or is being cancelled
            services.cancel(built.rebuild.id, actor, clock=clock)
    with transaction.atomic():
        rebuild = built.rebuild or served().rebuild
        _note(rebuild, actor, "drop", f"generation {generation} is dropped", clock)
        lifecycle.give_up(generation)
    with suppress(SeriesBackpressure):
        lifecycle.finish_drops()
    return get(generation)


MOVES: Mapping[str, Callable[[int, Actor], Built]] = {
    "verify": verify,
    "swap": swap,
    "rollback": roll_back_from,
    "drop": drop,
}
"""What may be asked of one generation, by the word that asks for it."""


def _refuse_dropped(built: Built) -> None:
    if built.row.state == "dropped":
        raise IllegalGenerationState(f"generation {built.row.number} was dropped")


def _unverified(row: Replay) -> str:
    if row.state == State.CANCELLED.value:
        return f"verify generation {row.generation} again first"
    return f"it is ready once replay {row.id} is completed"


def _note(rebuild: Replay | None, actor: Actor, action: str, detail: str, clock: Clock) -> None:
    if rebuild is None:
        return
    state = State(Replay.objects.values_list("state", flat=True).get(pk=rebuild.pk))
    now_ms = clock.now_ms()
    journal.note(
        *(rebuild.id, actor, action), at_ms=now_ms, before=state, after=state, detail=detail
    )

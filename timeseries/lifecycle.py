"""The life of a generation: begun, ready, served, dropped. Each move is one commit in the Django
database; who writes and who asks learns of it within KEPT_S (decision 0028)."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import IntegrityError, transaction
from django.db.models import Max

from feed.ports import TopicPartition
from timeseries.backends import get_series_store
from timeseries.errors import IllegalGenerationState, UnknownGeneration
from timeseries.generations import KEPT_S, READER
from timeseries.models import Generation, GenerationPin, PropertySlot, ServedGeneration

State = Generation.State


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """A generation as people see it. `is_previous`: a rollback goes to it. `freed_at`: when a
    dropped one had given back all that it held."""

    number: int
    state: Generation.State
    is_served: bool
    is_previous: bool
    made_at: datetime
    freed_at: datetime | None


def begin_generation() -> int:
    """Begin to build the whole view anew; from now on live events go there, too. Its number.

    Raises IllegalGenerationState while another one is being built.
    """
    try:
        with transaction.atomic():
            highest = Generation.objects.aggregate(highest=Max("number"))["highest"]
            row = Generation.objects.create(number=highest + 1, state=State.BUILDING)
    except IntegrityError as exc:
        raise IllegalGenerationState(
            "a generation of the view is being built: wait for it, or drop it"
        ) from exc
    READER.forget()
    return row.number


def pins(generation: int) -> Mapping[TopicPartition, int]:
    """From which position on each partition of the feed is written into the generation, whoever
    owns it; partitions whose owner has not said so are absent."""
    rows = GenerationPin.objects.filter(generation=generation)
    return {TopicPartition(row.topic, row.partition): row.position for row in rows}


def is_building(generation: int) -> bool:
    """Whether it is still being built, and so still pinned."""
    return Generation.objects.filter(number=generation, state=State.BUILDING).exists()


def mark_ready(generation: int) -> None:
    """It was verified: it may be served. Nothing changes for one that is ready.

    Raises UnknownGeneration, IllegalGenerationState.
    """
    with transaction.atomic():
        row = _locked(generation)
        if row.state == State.DROPPED:
            raise IllegalGenerationState(f"generation {generation} was dropped")
        row.state = State.READY
        row.save(update_fields=["state"])
    READER.forget()


def swap(generation: int) -> None:
    """Serve it from now on; what was served stays written, for a rollback. Nothing changes when it
    is served already.

    Raises UnknownGeneration, IllegalGenerationState.
    """
    with transaction.atomic():
        served = _locked_served()
        if served.generation_id != generation:
            _serve(served, generation)
    READER.forget()


def rollback(generation: int) -> int:
    """Serve again what was served before this one, and say which that is. Another rollback, from
    there, undoes it.

    Raises IllegalGenerationState when there is nothing to go back to, or another one is served: of
    two that ask at once one goes back, not one back and one forth.
    """
    with transaction.atomic():
        served = _locked_served()
        if served.generation_id != generation:
            raise IllegalGenerationState(f"generation {generation} is not served")
        previous = served.previous_id
        if previous is None:
            raise IllegalGenerationState("there is no earlier generation to go back to")
        _serve(served, previous)
    READER.forget()
    return int(previous)


def drop_generation(generation: int, *, sleep: Callable[[float], object] = time.sleep) -> None:
    """Never write it or read it again, and give back all that it holds. Idempotent, and so
    completed by another call after a crash.

    Raises UnknownGeneration, IllegalGenerationState for the one that is served, SeriesUnavailable.
    """
    give_up(generation)
    _free(generation, sleep)


def give_up(generation: int) -> None:
    """Never write it or read it again; `finish_drops` gives back what it holds. Idempotent.

    Raises UnknownGeneration, IllegalGenerationState for the one that is served.
    """
    with transaction.atomic():
        served = _locked_served()
        row = _locked(generation)
        if served.generation_id == generation:
            raise IllegalGenerationState(
                f"generation {generation} is served: swap to another one first"
            )
        row.state = State.DROPPED
        row.save(update_fields=["state"])
        if served.previous_id == generation:
            served.previous = None
            served.save(update_fields=["previous"])
    READER.forget()


def give_up_unfinished(generation: int) -> bool:
    """Give it up if it is still being built: one that was verified stays. Whether it is given up
    now. Raises UnknownGeneration."""
    with transaction.atomic():
        row = _locked(generation)
        if row.state == State.BUILDING:
            row.state = State.DROPPED
            row.save(update_fields=["state"])
    READER.forget()
    return row.state == State.DROPPED


def finish_drops(*, sleep: Callable[[float], object] = time.sleep) -> Sequence[int]:
    """Free what was dropped and not freed, since whoever dropped it was killed. Raises
    SeriesUnavailable."""
    rows = Generation.objects.filter(state=State.DROPPED, freed_at=None).order_by("number")
    numbers = list(rows.values_list("number", flat=True))
    for number in numbers:
        _free(number, sleep)
    return numbers


def generation_states() -> Sequence[GenerationRow]:
    """Every generation there ever was, ascending."""
    served = ServedGeneration.objects.get(pk=ServedGeneration.ONLY)
    return [
        GenerationRow(
            row.number,
            State(row.state),
            is_served=row.number == served.generation_id,
            is_previous=row.number == served.previous_id,
            made_at=row.made_at,
            freed_at=row.freed_at,
        )
        for row in Generation.objects.order_by("number")
    ]


def _serve(served: ServedGeneration, generation: int) -> None:
    row = _locked(generation)
    if row.state != State.READY:
        raise IllegalGenerationState(
            f"generation {generation} is {row.state}: only one that is ready can be served"
        )
    served.previous_id, served.generation_id = served.generation_id, generation
    served.save(update_fields=["previous", "generation"])


def _free(generation: int, sleep: Callable[[float], object]) -> None:
    """Only after every process has learned of the drop: a query that ran while documents went
    looks at the rows once more before it answers, and those are at most KEPT_S old."""
    sleep(KEPT_S)
    get_series_store().drop(generation)
    PropertySlot.objects.filter(generation=generation).delete()
    GenerationPin.objects.filter(generation=generation).delete()
    Generation.objects.filter(number=generation).update(freed_at=datetime.now(UTC))


def _locked_served() -> ServedGeneration:
    """Locked before any generation, in every move: none waits for another in a circle."""
    return ServedGeneration.objects.select_for_update().get(pk=ServedGeneration.ONLY)


def _locked(generation: int) -> Generation:
    row = Generation.objects.select_for_update(no_key=True).filter(number=generation).first()
    if row is None:
        raise UnknownGeneration(f"there is no generation {generation} of the view")
    return row

"""What an order would do, before it is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from feed.clock import Clock
from ingest.timestamps import format_time
from replay.domain import FINAL, Source
from replay.estimating import Estimate, EstimateStopped, estimate_within
from replay.models import Replay
from replay.orders import COUNT_S, Order, check
from replay.services import CLOCK
from warehouse.ports import EventStore, HourCount


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


def preview(
    order: Order, store: EventStore, *, limit_s: float = COUNT_S, clock: Clock = CLOCK
) -> Preview:
    """Count for so long what the order would emit. Raises InvalidReplay, StoreUnavailable."""
    check(order, now_ms=clock.now_ms())
    project, overlaps = order.source.project, tuple(overlapping(order.source))
    try:
        found = estimate_within(limit_s, store, order.source)
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

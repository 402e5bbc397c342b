"""What is emitted becomes what is projected: nobody holds a replay that drains, whoever looks may
say that it is done; a rebuild is verified then."""

from contextlib import suppress

from django.db import transaction
from django.db.models import QuerySet

from feed.clock import Clock
from feed.errors import FeedError
from feed.fences import count_refusals
from feed.ports import Feed
from feed.topics import Group
from replay import journal, progress
from replay.domain import Mode, State, Throttle
from replay.journal import Actor
from replay.models import Replay
from replay.pacing import SLOW_ABOVE_S
from replay.tending import history_positions, live_lag_s
from timeseries.errors import SeriesBackpressure
from timeseries.lifecycle import finish_drops

_UNHELD = (State.DRAINING.value, State.PAUSED.value)


def settle(feed: Feed, actor: Actor, *, clock: Clock) -> None:
    """Note how far the projector has come with replays that nobody works on, and complete those of
    which it has passed everything; free the generations that were given up. While the feed or the
    view is away the rest is done."""
    note_projected(feed, actor, clock=clock)
    with suppress(SeriesBackpressure):
        finish_drops()


def note_projected(feed: Feed, actor: Actor, *, clock: Clock) -> None:
    """The first part of `settle`: also done while a replay is worked on, which may take hours."""
    rows = list(Replay.objects.filter(state__in=_UNHELD, worker=""))
    if not any(row.state == State.DRAINING.value or row.marks for row in rows):
        return
    try:
        committed = history_positions(feed)
    except FeedError:
        return
    is_draining = any(row.state == State.DRAINING.value for row in rows)
    cause = _held_back_by(feed, now_ms=clock.now_ms()) if is_draining else ""
    for row in rows:
        stands = progress.standing(
            progress.from_json(row.marks), committed, projected=row.projected
        )
        if row.state == State.DRAINING.value and not stands.marks:
            _drained(row, stands.projected, actor, now_ms=clock.now_ms())
            continue
        throttled_by = cause if row.state == State.DRAINING.value else row.throttled_by
        if (stands.projected, throttled_by) != (row.projected, row.throttled_by):
            # Another replayer may look at the same time, and know more.
            _as_seen(row).filter(projected=row.projected).update(
                projected=stands.projected,
                marks=progress.as_json(stands.marks),
                throttled_by=throttled_by,
            )


def _held_back_by(feed: Feed, *, now_ms: int) -> str:
    """What keeps the projector from history, empty for nothing."""
    try:
        if not feed.has_members(Group.PROJECTOR_HISTORY):
            return Throttle.PROJECTOR.value
        is_live_behind = live_lag_s(feed, now_ms=now_ms) > SLOW_ABOVE_S
    except FeedError:
        return Throttle.FEED.value
    return Throttle.LIVE_LAG.value if is_live_behind else ""


def _as_seen(row: Replay) -> "QuerySet[Replay]":
    """The row, unless somebody took it or moved it since."""
    return Replay.objects.filter(pk=row.pk, state=row.state, epoch=row.epoch, worker="")


def _drained(row: Replay, projected: int, actor: Actor, *, now_ms: int) -> None:
    after, refused = ended(row)
    is_rebuild = row.mode == Mode.NEW_GENERATION.value
    if is_rebuild:
        after = State.VERIFYING
    with transaction.atomic():
        done = _as_seen(row).update(
            state=after.value,
            projected=projected,
            marks=[],
            throttled_by="",
            finished_at_ms=None if is_rebuild else now_ms,
        )
        if done:
            journal.note(
                *(row.id, actor, "work" if is_rebuild else "complete"),
                at_ms=now_ms,
                before=State.DRAINING,
                after=after,
                detail=f"{row.emitted} events emitted, {refused} refused by the view",
            )


def ended(row: Replay) -> tuple[State, int]:
    """How a replay ends of which everything was projected that the view did not refuse, and how
    much it refused."""
    refused = count_refusals([row.id])[row.id]
    return State.COMPLETED_WITH_ERRORS if refused else State.COMPLETED, refused

"""How the pipeline stands: lag by group, topic and partition with a state word. What the admin's
first page, `/v1/lag`, `/v1/status` and `pipeline_status` show alike."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from feed.backends import get_feed
from feed.errors import FeedUnavailable
from feed.lag import PartitionLag
from feed.topics import Topic
from operations import samples
from operations.lag_states import LagState, Sample, drains_in_s, state_of, worst
from operations.samples import READERS, Snapshot

WINDOW_MS = 60_000  # how far back the states look: a dozen samples
LANES: Mapping[str, str] = {Topic.HISTORY: "history"}
LIVE_LANE = "live"


@dataclass(frozen=True, slots=True)
class LagRow:
    """One group in one partition. Figures are None where they are not known."""

    group: str
    topic: str
    partition: int
    lane: str
    committed: int | None
    end: int | None
    lag: int | None
    lag_seconds: float | None
    drains_in_s: float | None
    state: LagState


@dataclass(frozen=True, slots=True)
class View:
    """One look at the pipeline: when, the state that asks most for attention, the rows, and the
    snapshots up to this one, oldest first. `is_current` is False when the feed did not answer."""

    as_of_ms: int
    is_current: bool
    state: LagState
    rows: Sequence[LagRow]
    history: Sequence[Snapshot]


def look(*, history_ms: int = WINDOW_MS) -> View:
    """Look at the pipeline now, keep a sample, and compare it with those before.

    When the feed cannot be reached, the rows are the last sample's partitions with state `unknown`
    and without figures: never 0.
    """
    feed, now_ms = get_feed(), time.time_ns() // 1_000_000
    kept = samples.kept_since(now_ms - max(history_ms, WINDOW_MS))
    try:
        snapshot = samples.take(feed, now_ms=now_ms)
        staffed = {group.value for group, _ in READERS if feed.has_members(group)}
    except FeedUnavailable:
        return View(now_ms, False, LagState.UNKNOWN, _unknown_rows(kept), kept)
    samples.keep(snapshot)
    history = [*kept, snapshot]
    rows = rows_of(history, staffed=staffed)
    return View(now_ms, True, worst([row.state for row in rows]), rows, history)


def rows_of(history: Sequence[Snapshot], *, staffed: Collection[str]) -> list[LagRow]:
    """The rows of the last snapshot; `staffed` are the groups with active members."""
    last = history[-1]
    window = [moment for moment in history if moment.taken_at_ms >= last.taken_at_ms - WINDOW_MS]
    return [_row(lag, window, has_members=lag.group in staffed) for lag in last.lags]


def _row(lag: PartitionLag, window: Sequence[Snapshot], *, has_members: bool) -> LagRow:
    moments = [
        Sample(moment.taken_at_ms, then)
        for moment in window
        for then in moment.lags
        if (then.group, then.topic, then.partition) == (lag.group, lag.topic, lag.partition)
    ]
    return LagRow(
        group=lag.group,
        topic=lag.topic,
        partition=lag.partition,
        lane=LANES.get(lag.topic, LIVE_LANE),
        committed=lag.committed,
        end=lag.end,
        lag=lag.lag,
        lag_seconds=round(lag.lag_seconds, 3),
        drains_in_s=drains_in_s(moments),
        state=state_of(moments, has_members=has_members),
    )


def _unknown_rows(kept: Sequence[Snapshot]) -> list[LagRow]:
    known = [(lag.group, lag.topic, lag.partition) for lag in kept[-1].lags] if kept else []
    return [
        LagRow(
            group=group,
            topic=topic,
            partition=partition,
            lane=LANES.get(topic, LIVE_LANE),
            committed=None,
            end=None,
            lag=None,
            lag_seconds=None,
            drains_in_s=None,
            state=LagState.UNKNOWN,
        )
        for group, topic, partition in known
    ]

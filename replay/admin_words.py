"""A replay in plain words and figures, for the admin's page: the same at its first sight and each
time it moves."""

from datetime import UTC, datetime
from typing import Any

from feed.event import LAST_KEY_MS
from replay.bars import DAY_MS
from replay.domain import (
    EMITTED_AT_LEAST,
    FINAL,
    GENERATION_DIFFERS,
    Mode,
    Move,
    State,
    Throttle,
    Worker,
    throttle_words,
)
from replay.models import Replay, ReplayLogEntry
from replay.reports import Report
from replay.rows import cursor_of, source_of
from replay.services import log_of

STATE_WORDS = {
    State.DRAFT: "not counted yet: count it, or start it and it is counted first",
    State.ESTIMATING: "a replayer counts its events",
    State.READY: "counted; it waits for somebody to start it",
    State.RUNNING: "events are emitted",
    State.PAUSED: "nothing is emitted until it is resumed",
    State.DRAINING: "all is emitted; the projector has some of it before it",
    State.VERIFYING: "all is projected; it is compared",
    State.COMPLETED: "all is emitted and projected",
    State.COMPLETED_WITH_ERRORS: "all is projected but what the view refused: see Dead letters",
    State.CANCELLING: "its replayer stops, and says how much it emitted",
    State.CANCELLED: "it was ended before its end; what was projected stays",
    State.FAILED: "it stopped; a retry goes on from where it stood",
}
_REBUILD_WORDS = {
    State.COMPLETED: "the generation was compared with the warehouse, and found equal",
    State.COMPLETED_WITH_ERRORS: "equal but for what the view refused: see Dead letters",
    State.CANCELLED: "it was ended before its end; a generation that was being built is given up, "
    "one that was ready stays",
}
_DIFFERS_WORDS = "all was projected, and differs from the warehouse; a retry emits all of it anew"
_THROTTLED = (State.ESTIMATING, State.RUNNING, State.DRAINING, State.VERIFYING)
_EMITTED = FINAL - {State.CANCELLED} | {State.DRAINING, State.VERIFYING}
MOVE_WORDS = {
    Move.ESTIMATE: "Count",
    Move.START: "Start",
    Move.PAUSE: "Pause",
    Move.RESUME: "Resume",
    Move.RETRY: "Retry",
    Move.CANCEL: "Cancel",
}


def seen(found: Report) -> dict[str, Any]:  # Any: JSON
    """Everything of the page that moves: `facts` to be read, `bars` as [value, of], `scanned_ms`
    before which all hours are emitted, the log, oldest first."""
    row = found.row
    state = State(row.state)
    return {
        "state": state.value,
        "final": state in FINAL,
        "lost": found.worker is Worker.LOST,
        "facts": facts(found),
        "bars": {name: [getattr(row, name), row.estimated] for name in ("emitted", "projected")},
        "scanned_ms": _scanned_ms(row, state),
        "log": [_log_line(entry) for entry in log_of(row.id)],
    }


def facts(found: Report) -> dict[str, str]:
    """Sentences and figures by name; empty where there is nothing to say."""
    row = found.row
    state = State(row.state)
    return {
        "state": state_name(state),
        "meaning": meaning(row),
        "worker": _worker(found),
        "throttled": _throttled(found),
        "error": f"{row.error_code}: {row.error_detail}" if row.error_code else "",
        "emitted": _emitted(row),
        "projected": of(row.projected, row.estimated),
        "estimated": "not counted yet" if row.estimated is None else count(row.estimated),
        "eps": f"{row.eps:,.0f} a second" if state is State.RUNNING and row.eps else "–",
        "limit": limit(row.max_eps, row.auto),
        "eta": _eta(found),
        "started": utc(row.started_at_ms),
        "finished": utc(row.finished_at_ms),
        "dead_lettered": f"{found.dead_lettered:,}",
        "suppressed": f"{row.suppressed:,}",
    }


def meaning(row: Replay) -> str:
    """Of its state, a sentence."""
    state = State(row.state)
    if row.error_code == GENERATION_DIFFERS and state is State.FAILED:
        return _DIFFERS_WORDS
    is_rebuild = row.mode == Mode.NEW_GENERATION.value
    return (is_rebuild and _REBUILD_WORDS.get(state)) or STATE_WORDS[state]


def state_name(state: State) -> str:
    """In words."""
    return state.value.replace("_", " ")


def limit(max_eps: int | None, auto: bool) -> str:
    """A rate in words."""
    speed = "as fast as it goes" if max_eps is None else f"at most {max_eps:,} a second"
    return f"{speed}, slower while live events wait" if auto else speed


def count(events: int) -> str:
    """So many events."""
    return f"{events:,} event{'' if events == 1 else 's'}"


def utc(time_ms: int | None) -> str:
    """To the second."""
    if time_ms is None:
        return "–"
    return f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}"


def hour(time_ms: int) -> str:
    """To the minute."""
    return utc(time_ms)[:-3]


def duration(seconds: float | None) -> str:
    """About so long."""
    if seconds is None:
        return "as fast as it goes"
    if seconds < 90:
        return f"about {seconds:,.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:,.0f} min"
    return f"about {seconds / 3600:,.1f} h"


def of(done: int, whole: int | None) -> str:
    """So many, of how many, and the share."""
    if whole is None:
        return f"{done:,}"
    share = f" ({min(1.0, done / whole):.0%})" if whole else ""
    return f"{done:,} of {whole:,}{share}"


def title(row: Replay) -> str:
    """Of its page."""
    if row.mode == Mode.NEW_GENERATION.value:
        return f"Rebuild of the view: generation {row.generation}"
    return f"Replay of {row.project}"


def what(row: Replay) -> dict[str, str]:
    """What of a replay never changes."""
    return {
        **_source(row),
        "Target": "the view as it is" if row.generation is None else f"generation {row.generation}",
        "Reason": row.reason,
        "Asked for by": row.requested_by,
        "Asked for at, UTC": utc(row.created_at_ms),
    }


def _source(row: Replay) -> dict[str, str]:
    if row.mode == Mode.NEW_GENERATION.value:
        return {"Project": "all of them", "Events": "all, of all times"}
    spans = len(source_of(row).spans)
    return {
        "Project": row.project,
        "From, UTC": utc(row.from_ms),
        "To, UTC": utc(row.to_ms) + (f", in {spans} parts" if spans > 1 else ""),
        "Events": ", ".join(row.events) or "all",
    }


def _emitted(row: Replay) -> str:
    at_least = "at least " if row.error_code == EMITTED_AT_LEAST else ""
    return at_least + of(row.emitted, row.estimated)


def _worker(found: Report) -> str:
    if found.worker is Worker.LOST:
        return "Stalled, will resume: its replayer is gone, and another goes on where it stood."
    if found.worker is Worker.ALIVE:
        return "A replayer works on it."
    if found.is_waiting:
        return (
            "It waits for a replayer: start one with manage.py run_replayer, unless one works on "
            "another replay."
        )
    return ""


def _throttled(found: Report) -> str:
    name, state = found.row.throttled_by, State(found.row.state)
    if not name or state not in _THROTTLED:
        return ""
    return f"Speed: {throttle_words(Throttle(name), state)}."


def _eta(found: Report) -> str:
    return "–" if found.eta_ms is None else f"{utc(found.eta_ms)} UTC"


def _log_line(entry: ReplayLogEntry) -> list[str]:
    """When, who, through what, did what, in what state it is since, why."""
    became = entry.to_state if entry.to_state != entry.from_state else ""
    return [
        utc(entry.at_ms),
        entry.actor,
        entry.via,
        entry.action,
        became.replace("_", " "),
        entry.detail,
    ]


def _scanned_ms(row: Replay, state: State) -> int | None:
    """Hours before this one are emitted, this one in part; None before the first."""
    is_rebuild = row.mode == Mode.NEW_GENERATION.value
    if state in _EMITTED:
        return (LAST_KEY_MS if is_rebuild else row.to_ms) + DAY_MS  # past the end of the last bar
    if is_rebuild:
        return None  # one project after the other: no hour is done before the last
    cursor = cursor_of(row)
    return None if cursor is None else cursor.checkpoint.partition.hour_ms

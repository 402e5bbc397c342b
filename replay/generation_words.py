"""A generation of the view in plain words, for the admin's pages."""

from dataclasses import dataclass
from datetime import datetime

from replay import admin_words as words
from replay.domain import State
from replay.models import Replay, ReplayLogEntry
from replay.rebuilds import VERIFIED, Built, can_be_verified, is_judged

STATE_WORDS = {
    "building": "it is being built; queries do not read it",
    "ready": "live events are written into it; what its verification found is said below",
    "dropped": "it is not written any more, and what it held is given back",
}


@dataclass(frozen=True, slots=True)
class Move:
    """What may be asked of a generation: the word for it, and what it does."""

    verb: str
    effect: str


MOVES = {
    "swap": Move(
        "Swap: serve it",
        "From now on every query and chart reads this generation. The one served so far stays "
        "written, so that a rollback loses nothing.",
    ),
    "rollback": Move(
        "Roll back",
        "Every query and chart reads again the generation that was served before. Both stay "
        "written.",
    ),
    "verify": Move(
        "Verify again",
        "A replayer compares every project and hour of it with the warehouse. Until that is done "
        "it can't be served, unless it is already.",
    ),
    "drop": Move(
        "Drop",
        "It is never written or read again, and what it holds is deleted. A rebuild that still "
        "builds it is cancelled. This can't be undone: the warehouse keeps every event, and "
        "another rebuild makes another generation.",
    ),
}


def legal(built: Built, *, can_go_back: bool) -> list[str]:
    """Moves that its state allows, in the order of MOVES. `can_go_back`: a generation was served
    before the one that is."""
    row, rebuild = built.row, built.rebuild
    is_verified = rebuild is None or rebuild.state in VERIFIED
    is_dropped = row.state == "dropped"
    allowed = {
        "swap": row.state == "ready" and not row.is_served and is_verified,
        "rollback": row.is_served and can_go_back,
        "verify": can_be_verified(built),
        "drop": not row.is_served and not is_dropped,
    }
    return [name for name in MOVES if allowed[name]]


def facts(built: Built) -> dict[str, object]:
    """What a template shows of it."""
    return {
        "row": built.row,
        "state": "served" if built.row.is_served else str(built.row.state),
        "rebuild": built.rebuild,
        "made": _utc(built.row.made_at),
        "freed": _utc(built.row.freed_at),
        "role": role(built),
        "progress": progress(built.rebuild),
        "verification": verification(built),
    }


def role(built: Built) -> str:
    """Empty for one that plays none."""
    if built.row.is_served:
        return "read it: it is served"
    return "a rollback goes to it" if built.row.is_previous else ""


def verification(built: Built) -> str:
    """What came of the last one."""
    rebuild = built.rebuild
    if rebuild is None:
        return "made by no rebuild: Reconcile compares what is served"
    if rebuild.state == State.VERIFYING.value:
        return "a replayer compares it with the warehouse"
    if rebuild.state == State.CANCELLED.value and built.row.state == "ready":
        return "the last one was cancelled: verify it again"
    if not is_judged(rebuild):
        return "not verified yet"
    entries = ReplayLogEntry.objects.filter(
        replay=rebuild, from_state=State.VERIFYING.value
    ).exclude(to_state=State.VERIFYING.value)
    last = entries.order_by("-id").first()
    return rebuild.error_detail or (last.detail if last else "")


def progress(rebuild: Replay | None) -> str:
    """How far its rebuild is."""
    if rebuild is None:
        return ""
    state = words.state_name(State(rebuild.state))
    return f"{state}, projected {words.of(rebuild.projected, rebuild.estimated)}"


def _utc(at: datetime | None) -> str:
    return words.utc(None if at is None else round(at.timestamp() * 1000))

"""The log of a replay: who did what, when, why, through what. Only ever appended to."""

from dataclasses import dataclass
from enum import StrEnum

from replay.domain import State
from replay.models import MAX_ACTOR_CHARS, ReplayLogEntry


class Via(StrEnum):
    """Through what somebody asked."""

    ADMIN = "admin"
    REST = "rest"
    COMMAND = "command"
    REPLAYER = "replayer"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who: a user, a token's subject and key, or a replayer."""

    name: str
    via: Via


def note(
    replay: str,
    actor: Actor,
    action: str,
    *,
    at_ms: int,
    before: State | None,
    after: State,
    detail: str = "",
) -> None:
    """Append one entry."""
    ReplayLogEntry.objects.create(
        replay_id=replay,
        at_ms=at_ms,
        actor=actor.name[:MAX_ACTOR_CHARS],
        via=actor.via.value,
        action=action,
        from_state=before.value if before else "",
        to_state=after.value,
        detail=detail,
    )

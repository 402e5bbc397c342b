"""The log of a replay: who did what, when, why, through what. Only ever appended to."""

import getpass
import os
from dataclasses import dataclass
from enum import StrEnum

from access.texts import storable
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

    @property
    def kept_name(self) -> str:
        """As rows keep it: a token's subject is any text."""
        return storable(self.name)[:MAX_ACTOR_CHARS]


def command_actor() -> Actor:
    """Whoever types a command; by number where the system has no name for them, as in a
    container."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        name = f"uid {os.getuid()}"
    return Actor(name, Via.COMMAND)


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
        actor=actor.kept_name,
        via=actor.via.value,
        action=action,
        from_state=before.value if before else "",
        to_state=after.value,
        detail=detail,
    )

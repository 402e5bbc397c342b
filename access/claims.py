"""Who is asking and what they may do: the one shape that every door hands on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Scope(StrEnum):
    """What a token may ask for. OPERATE reaches over projects; only keys that staff mark grant
    it."""

    INGEST = "ingest"
    QUERY = "query"
    REPLAY = "replay"
    REPAIR = "repair"
    ERASE = "erase"
    OPERATE = "operate"


class Credential(StrEnum):
    """How the caller proved who they are."""

    TOKEN = "token"
    WRITE_KEY = "write_key"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified credential proves. The project is the key's, never the caller's word.

    `filter` is section 5's grammar as JSON, ANDed to every query; `allowed_origins` is the
    project's CORS list.
    """

    project: str
    subject: str
    scopes: frozenset[Scope]
    expires_at_s: float
    credential: Credential
    kid: str | None = None
    jti: str | None = None
    filter: Sequence[Any] | None = None
    allowed_origins: tuple[str, ...] = ()

    def may(self, scope: Scope) -> bool:
        """Whether the scope was granted."""
        return scope in self.scopes

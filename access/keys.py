"""The keys of one moment, in memory: immutable, so that any thread reads them without a lock.
Pure."""

import math
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from access.claims import Claims, Credential, Scope
from access.key_pairs import PublicKey

WRITE_KEY_MARK = "wk_"
WRITE_KEY_CHARS = 32  # of 62: 190 bits, so an unsalted hash can't be searched
SHOWN_CHARS = len(WRITE_KEY_MARK) + 8
ANY_ORIGIN = "*"
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class SigningKeyRecord:
    """A registered public key. `project` is None for the server's own key alone, whose tokens name
    theirs."""

    public: PublicKey
    project: str | None
    scopes: frozenset[Scope]
    not_after_s: float = math.inf
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class WriteKeyRecord:
    """A write key known by its hash alone: it opens sending into one project."""

    prefix: str
    project: str
    not_after_s: float = math.inf
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class KeySnapshot:
    """Every key and every project's origins as of one state of the database, named by `stamp`."""

    stamp: str
    signing_keys: Mapping[str, SigningKeyRecord] = field(default_factory=dict)
    write_keys: Mapping[str, WriteKeyRecord] = field(default_factory=dict)
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def allows_somewhere(self, origin: str) -> bool:
        """Whether any project lists the origin: all that a preflight, which has no credential, can
        be asked."""
        return any(is_origin_allowed(origin, allowed) for allowed in self.origins.values())


def is_origin_allowed(origin: str, allowed: Sequence[str]) -> bool:
    """Whether a project's list has this origin; an entry `*` allows every one."""
    return ANY_ORIGIN in allowed or origin in allowed


def new_write_key() -> str:
    """A fresh write key: shown once, stored only as its hash."""
    return WRITE_KEY_MARK + "".join(secrets.choice(_ALPHABET) for _ in range(WRITE_KEY_CHARS))


def write_key_digest(write_key: str) -> str:
    """What is stored of a write key: SHA-256 in hexadecimal."""
    return sha256(write_key.encode("utf-8", "surrogatepass")).hexdigest()


def write_key_claims(record: WriteKeyRecord, allowed_origins: tuple[str, ...]) -> Claims:
    """What a write key proves: sending into its project, until it is retired."""
    return Claims(
        project=record.project,
        subject=f"write_key:{record.prefix}",
        scopes=frozenset({Scope.INGEST}),
        expires_at_s=record.not_after_s,
        credential=Credential.WRITE_KEY,
        allowed_origins=allowed_origins,
    )

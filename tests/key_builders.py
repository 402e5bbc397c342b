"""Builders of projects, keys, tokens and requests that need no database."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from access.authentication import Authenticator, get_key_ring
from access.claims import Scope
from access.http import Request
from access.key_pairs import KeyPair, generate_key_pair
from access.keys import (
    SHOWN_CHARS,
    KeySnapshot,
    SigningKeyRecord,
    WriteKeyRecord,
    new_write_key,
    write_key_digest,
)
from access.tokens import mint


@dataclass
class ProjectKeys:
    """A project with a key pair and a write key, as the doors know it."""

    project: str = "demo"
    granted: frozenset[Scope] = frozenset({Scope.INGEST, Scope.QUERY})
    origins: tuple[str, ...] = ()
    pair: KeyPair = field(default_factory=generate_key_pair)
    write_key: str = field(default_factory=new_write_key)

    def token(
        self,
        *scopes: Scope,
        ttl_s: int = 600,
        now_s: float | None = None,
        token_filter: Sequence[Any] | None = None,
    ) -> str:
        """A token for these scopes, by default for all that the key grants."""
        return mint(
            self.pair,
            scopes=scopes or self.granted,
            now_s=time.time() if now_s is None else now_s,
            ttl_s=ttl_s,
            subject="test",
            token_filter=token_filter,
        )

    def bearer(self, *scopes: Scope, ttl_s: int = 600) -> dict[str, str]:
        """The Authorization header around such a token."""
        return {"Authorization": f"Bearer {self.token(*scopes, ttl_s=ttl_s)}"}


def tell_doors(monkeypatch: pytest.MonkeyPatch, *keys: ProjectKeys) -> None:
    """During the test this process's doors know these keys alone, from no database."""
    monkeypatch.setattr(get_key_ring(), "_latest", None)
    monkeypatch.setattr(get_key_ring(), "_load", lambda known: make_snapshot(*keys))


def make_snapshot(*projects: ProjectKeys, stamp: str = "1") -> KeySnapshot:
    """All keys of the projects in force."""
    return KeySnapshot(
        stamp=stamp,
        signing_keys={
            keys.pair.public.kid: SigningKeyRecord(keys.pair.public, keys.project, keys.granted)
            for keys in projects
        },
        write_keys={
            write_key_digest(keys.write_key): WriteKeyRecord(
                keys.write_key[:SHOWN_CHARS], keys.project
            )
            for keys in projects
        },
        origins={keys.project: keys.origins for keys in projects},
    )


@dataclass
class KeysInHand:
    """A source of snapshots that the test sets."""

    current: KeySnapshot

    def snapshot(self) -> KeySnapshot:
        """The current one."""
        return self.current


def make_authenticator(*projects: ProjectKeys) -> Authenticator:
    """An authenticator that knows these projects' keys, from no database."""
    return Authenticator(KeysInHand(make_snapshot(*projects)))


async def _no_body() -> Mapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def make_request(
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    path: str = "/",
    query: str = "",
) -> Request:
    """A request without a body."""
    return Request(
        method=method,
        path=path,
        path_params={},
        query_string=query.encode(),
        headers={
            name.lower().encode(): value.encode("latin-1")
            for name, value in (headers or {}).items()
        },
        request_id="r1",
        receive=_no_body,
    )

"""Tokens made on this side: for a command line with a private key, and for staff pages."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from access.claims import Scope
from access.errors import BadToken
from access.key_pairs import load_private_key
from access.lookups import get_project, get_signing_key
from access.server_key import server_key_pair
from access.tokens import mint


def mint_token(
    project: str,
    scopes: Iterable[Scope],
    *,
    private_key_pem: str,
    ttl_s: int = 3600,
    token_filter: Sequence[Any] | None = None,  # Any: JSON
    subject: str = "mint_token",
) -> str:
    """A token of the project, signed by the private key.

    Raises BadToken when the doors would refuse it (the key is another project's, revoked, or
    grants less; the life is too long), BadKey, NotRegistered.
    """
    pair = load_private_key(private_key_pem)
    wanted = frozenset(scopes)
    key = get_signing_key(pair.public.kid)
    if key.project_id != get_project(project).name:
        raise BadToken(f"the key {key.kid} is registered for {key.project_id}, not {project}")
    if key.revoked_at is not None:
        raise BadToken(f"the key {key.kid} was revoked: sign with another key")
    if excess := wanted - key.granted():
        raise BadToken(
            f"the key {key.kid} does not grant {' '.join(sorted(excess))}: staff can add it"
        )
    return mint(
        pair,
        scopes=wanted,
        now_s=time.time(),
        ttl_s=ttl_s,
        subject=subject,
        token_filter=token_filter,
    )


def staff_token(project: str, scopes: Iterable[Scope], ttl_s: int) -> str:
    """A token for a staff page, signed by the server's own key: it verifies in every process with
    the same SECRET_KEY. Raises NoServerKey, BadToken."""
    return mint(
        server_key_pair(),
        scopes=scopes,
        now_s=time.time(),
        ttl_s=ttl_s,
        subject="staff",
        project=project,
    )

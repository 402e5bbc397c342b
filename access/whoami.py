"""`GET /v1/whoami`: what the presented credential proves, for whoever wonders why a door is
shut."""

import math
from datetime import UTC, datetime

import msgspec

from access.authentication import get_authenticator
from access.claims import Claims
from access.http import Request, json_reply
from access.problems import Reply


class Whoami(msgspec.Struct):
    """The answer. `expires_at` is null for a write key that does not retire."""

    project: str
    subject: str
    credential: str
    scopes: list[str]
    expires_at: datetime | None
    kid: str | None


async def whoami(request: Request) -> Reply:
    """Any good credential, whatever it opens."""
    claims = get_authenticator().authenticate(
        request, scope=None, write_key=True, query_token=False
    )
    return json_reply(_described(claims), headers={"Cache-Control": "no-store"})


def _described(claims: Claims) -> Whoami:
    expires_at = (
        None
        if math.isinf(claims.expires_at_s)
        else datetime.fromtimestamp(claims.expires_at_s, UTC)
    )
    return Whoami(
        project=claims.project,
        subject=claims.subject,
        credential=claims.credential.value,
        scopes=sorted(claims.scopes),
        expires_at=expires_at,
        kid=claims.kid,
    )

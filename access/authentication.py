"""From a request to Claims, the same for every door: finds the credential, proves it, checks what
it opens. Never blocks, asks no database and logs nothing of the request."""

import time
from base64 import b64decode
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs

from access import refusals
from access.claims import Claims, Credential, Scope
from access.key_loading import load_snapshot
from access.key_ring import KeyRing
from access.keys import KeySnapshot, is_origin_allowed, write_key_claims, write_key_digest
from access.problems import Problem
from access.token_verifier import TokenVerifier
from access.tokens import LEEWAY_S

_BEARER = "Bearer "
_WRITE_KEY = Credential.WRITE_KEY
MAX_QUERY_TOKEN_S = 3600  # what stands in an address ends up in histories and logs


class CredentialSource(Protocol):
    """What authentication reads of a request; access.http.Request is one."""

    @property
    def method(self) -> str:
        """GET, POST, …"""

    @property
    def query_string(self) -> bytes:
        """What follows the question mark."""

    def header(self, name: str) -> str | None:
        """The header's value, or None; names are lower case."""


class SnapshotSource(Protocol):
    """Where the keys of the moment come from; KeyRing is one."""

    def snapshot(self) -> KeySnapshot:
        """Raises Problem 503 when there is none yet."""


class _Kind(StrEnum):
    BEARER = "bearer"
    ADDRESS = "address"
    WRITE_KEY = "write_key"
    BEACON = "beacon"


class _Presented(NamedTuple):
    kind: _Kind
    text: str


class Authenticator:
    """Thread-safe; one a process, see get_authenticator()."""

    def __init__(self, keys: SnapshotSource, *, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock
        self._verifier = TokenVerifier()

    def authenticate(
        self,
        request: CredentialSource,
        *,
        scope: Scope | None,
        write_key: bool = False,
        query_token: bool = False,
    ) -> Claims:
        """What the request's credential proves; `scope` None asks only that there is a good one.

        `write_key`: the door takes write keys, also as `?k=`. `query_token`: a GET may carry
        `?access_token=`. Raises Problem 401, 403 (missing_scope, scope_not_granted,
        origin_not_allowed), 503 while the keys are not loaded.
        """
        claims = self._identify(request, write_key=write_key, query_token=query_token)
        if claims.credential is _WRITE_KEY:
            if not write_key:
                raise refusals.missing_scope(scope or Scope.QUERY)
            _check_origin(request, claims)
        if scope is not None and not claims.may(scope):
            raise refusals.missing_scope(scope)
        return claims

    def authenticate_token(self, token: str, *, scope: Scope | None) -> Claims:
        """The same for a token that came by another way than a header, as in a socket's hello."""
        claims = self._verifier.claims(token, self._keys.snapshot(), now_s=self._clock())
        if scope is not None and not claims.may(scope):
            raise refusals.missing_scope(scope)
        return claims

    def authenticate_write_key(self, write_key: str) -> Claims:
        """The same for a write key, wherever it came from. Raises Problem 401."""
        snapshot = self._keys.snapshot()
        record = snapshot.write_keys.get(write_key_digest(write_key))
        if record is None:
            raise refusals.bad_write_key("unknown write key: it opens no project here")
        if record.is_revoked:
            raise refusals.bad_write_key("the write key was revoked: use another one")
        if record.not_after_s <= self._clock():
            raise refusals.bad_write_key("the write key was retired by a rotation: use the new one")
        return write_key_claims(record, snapshot.origins.get(record.project, ()))

    def allowed_origins(self, request: CredentialSource) -> tuple[str, ...] | None:
        """The origins of the project that the request's credential belongs to; None when the
        credential proves nothing. Raises Problem 503."""
        self._keys.snapshot()
        try:
            return self._identify(request, write_key=True, query_token=True).allowed_origins
        except Problem:
            return None

    def allows_somewhere(self, origin: str) -> bool:
        """Whether any project lists the origin. Raises Problem 503."""
        return self._keys.snapshot().allows_somewhere(origin)

    def _identify(self, request: CredentialSource, *, write_key: bool, query_token: bool) -> Claims:
        authorization = request.header("authorization")
        if authorization is not None and authorization.startswith(_BEARER):  # nearly every request
            return self.authenticate_token(authorization[len(_BEARER) :].strip(), scope=None)
        presented = _presented(request, write_key=write_key, query_token=query_token)
        if presented.kind in (_Kind.WRITE_KEY, _Kind.BEACON):
            return self.authenticate_write_key(presented.text)
        claims = self.authenticate_token(presented.text, scope=None)
        if presented.kind is _Kind.ADDRESS:
            self._check_fit_for_address(claims)
        return claims

    def _check_fit_for_address(self, claims: Claims) -> None:
        lives_s = claims.expires_at_s - self._clock()
        if claims.scopes != {Scope.QUERY} or lives_s > MAX_QUERY_TOKEN_S + LEEWAY_S:
            raise refusals.bad_token(
                "access_token in the address must have the scope query alone and at most "
                f"{MAX_QUERY_TOKEN_S} s to live: send others as Authorization: Bearer"
            )


def _presented(request: CredentialSource, *, write_key: bool, query_token: bool) -> _Presented:
    scheme, _, value = (request.header("authorization") or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return _Presented(_Kind.BEARER, value.strip())
    if (key := request.header("x-write-key")) is not None:
        return _Presented(_Kind.WRITE_KEY, key.strip())
    if scheme.lower() == "basic":
        return _Presented(_Kind.WRITE_KEY, _basic_user(value))
    if scheme:
        raise refusals.no_credential(f"; the scheme {scheme[:20]!a} is not known here")
    return _presented_in_address(request, write_key=write_key, query_token=query_token)


def _presented_in_address(
    request: CredentialSource, *, write_key: bool, query_token: bool
) -> _Presented:
    pairs = parse_qs(request.query_string.decode("latin-1")) if request.query_string else {}
    if query_token and request.method in ("GET", "HEAD") and "access_token" in pairs:
        return _Presented(_Kind.ADDRESS, pairs["access_token"][0])
    if write_key and "k" in pairs:
        return _Presented(_Kind.BEACON, pairs["k"][0])
    raise refusals.no_credential(", or a write key as X-Write-Key" if write_key else "")


def _basic_user(value: str) -> str:
    """The user name of Basic credentials: Segment's libraries carry the write key there."""
    try:
        return b64decode(value.strip(), validate=True).decode().partition(":")[0]
    except ValueError:
        raise refusals.bad_write_key("the Basic credentials are not base64 of user:") from None


def _check_origin(request: CredentialSource, claims: Claims) -> None:
    origin = request.header("origin")  # only browsers send it: servers pass without
    if origin is not None and not is_origin_allowed(origin, claims.allowed_origins):
        raise refusals.origin_not_allowed(
            "pages of this origin may not send into the project: staff can add it to the "
            "project's allowed origins"
        )


@cache
def get_key_ring() -> KeyRing:
    """This process's keys: started by the first request, or by start() at start-up."""
    return KeyRing(load_snapshot)


@cache
def get_authenticator() -> Authenticator:
    """This process's one; connects to nothing before its first use."""
    return Authenticator(get_key_ring())

"""Self-signed tokens: mint and verify. Pure: keys and time are passed in, no framework.

The algorithm comes from the registered key, never from the token's header (RFC 8725 section 3.1).
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec
from jwt import PyJWS
from jwt.exceptions import PyJWTError

from access.claims import Claims, Credential, Scope
from access.errors import BadToken
from access.key_pairs import Algorithm, KeyPair
from access.keys import SigningKeyRecord
from access.problems import Code
from access.refusals import bad_token, scope_not_granted
from access.texts import is_text

AUDIENCE = "weir"
MAX_TTL_S = 24 * 3600
MAX_INGEST_TTL_S = 90 * MAX_TTL_S  # for tokens of scope ingest alone
LEEWAY_S = 60  # how far a client's clock may run ahead of ours
MAX_TOKEN_CHARS = 8192
MAX_SUBJECT_CHARS = 200
_LATEST_S = 10**11  # beyond it no number is a time in seconds
_KID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
# Headers that name a key or change how the signature is read: none has any business here.
_FORBIDDEN_HEADERS = ("jku", "x5u", "jwk", "x5c", "crit", "b64", "zip", "enc")
_JWS = PyJWS(algorithms=[algorithm.value for algorithm in Algorithm])


class _Payload(msgspec.Struct):
    """The claims as they are written; every other member is ignored."""

    aud: str | list[str]
    sub: str
    iat: int | float
    exp: int | float
    scope: str
    nbf: int | float | None = None
    filter: list[Any] | None = None  # Any: JSON
    jti: str | None = None
    project: str | None = None


def mint(
    pair: KeyPair,
    *,
    scopes: Iterable[Scope],
    now_s: float,
    ttl_s: int,
    subject: str,
    token_filter: Sequence[Any] | None = None,  # Any: JSON
    project: str | None = None,
) -> str:
    """A token signed by the pair; `project` is for the server's own key alone.

    Raises BadToken when every door would refuse it.
    """
    wanted = frozenset(scopes)
    _check_mintable(wanted, ttl_s, subject)
    issued_s = int(now_s)
    payload: dict[str, Any] = {
        "aud": AUDIENCE,
        "sub": subject,
        "iat": issued_s,
        "exp": issued_s + ttl_s,
        "scope": " ".join(sorted(wanted)),
        "jti": uuid4().hex,
    }
    payload |= {"filter": list(token_filter)} if token_filter is not None else {}
    payload |= {"project": project} if project is not None else {}
    return _JWS.encode(
        msgspec.json.encode(payload),
        pair.key,
        algorithm=pair.public.algorithm.value,
        headers={"kid": pair.public.kid},
    )


def _check_mintable(scopes: frozenset[Scope], ttl_s: int, subject: str) -> None:
    if not scopes:
        raise BadToken(f"a token needs a scope: {', '.join(Scope)}")
    if not 0 < ttl_s <= max_ttl_s(scopes):
        raise BadToken(
            f"a token of scope {' '.join(sorted(scopes))} lives 1 to {max_ttl_s(scopes)} s, "
            f"not {ttl_s}"
        )
    if not 0 < len(subject) <= MAX_SUBJECT_CHARS or not is_text(subject):
        raise BadToken(f"a token's subject has 1 to {MAX_SUBJECT_CHARS} characters, without NUL")


def max_ttl_s(scopes: frozenset[Scope]) -> int:
    """The longest life of a token with these scopes, in seconds."""
    return MAX_INGEST_TTL_S if scopes == {Scope.INGEST} else MAX_TTL_S


def verify(token: str, *, key_of: Callable[[str], SigningKeyRecord | None], now_s: float) -> Claims:
    """What the token proves; `key_of` gives the registered key of a kid, or None.

    The claims expire with the token or its key, whichever is first. Raises Problem 401 saying what
    is wrong, or 403 scope_not_granted.
    """
    record = _signer(token, key_of, now_s)
    payload = _payload(token, record)
    expires_at_s = _check_times(payload, now_s)
    _check_names(payload)
    scopes = _scopes(payload.scope)
    _check_ttl(payload, scopes)
    if excess := scopes - record.scopes:
        raise scope_not_granted(" ".join(sorted(excess)))
    return Claims(
        project=_project(payload, record),
        subject=payload.sub,
        scopes=scopes,
        expires_at_s=min(expires_at_s, record.not_after_s),
        credential=Credential.TOKEN,
        kid=record.public.kid,
        jti=payload.jti,
        filter=payload.filter,
    )


def _signer(
    token: str, key_of: Callable[[str], SigningKeyRecord | None], now_s: float
) -> SigningKeyRecord:
    header = _header(token)
    for name in _FORBIDDEN_HEADERS:
        if name in header:
            raise bad_token(f"the header {name} is not allowed: a key is named by kid alone")
    kid = header.get("kid")
    if not isinstance(kid, str) or not _KID.match(kid):
        raise bad_token("the header has no kid, the thumbprint of the key that signed it")
    record = key_of(kid)
    if record is None:
        raise bad_token(f"unknown key: {kid} is registered for no project")
    if record.is_revoked:
        raise bad_token(f"the key {kid} was revoked: sign with another key")
    if record.not_after_s <= now_s:
        raise bad_token(f"the key {kid} was retired by a rotation: sign with the new key")
    if header.get("alg") != record.public.algorithm.value:
        raise bad_token(
            f"wrong alg: the key {kid} is registered for {record.public.algorithm.value} alone"
        )
    return record


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise bad_token(f"not a token: at most {MAX_TOKEN_CHARS} ASCII characters")
    try:
        return _JWS.get_unverified_header(token)
    except PyJWTError as exc:
        raise bad_token("not a token: three base64url parts joined by dots, as RFC 7519") from exc


def _payload(token: str, record: SigningKeyRecord) -> _Payload:
    algorithm = record.public.algorithm.value
    try:
        raw = _JWS.decode(token, record.public.key, algorithms=[algorithm])
    except PyJWTError as exc:
        raise bad_token(f"wrong signature: the key {record.public.kid} did not sign this") from exc
    try:
        return msgspec.json.decode(raw, type=_Payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise bad_token(f"the claims cannot be read: {exc}") from exc


def _check_times(payload: _Payload, now_s: float) -> float:
    for name in ("iat", "exp", "nbf"):
        value = getattr(payload, name)
        if value is not None and not -_LATEST_S < value < _LATEST_S:
            raise bad_token(f"{name} is not a time in seconds since 1970")
    if payload.exp <= now_s:
        raise bad_token(
            f"expired {math.ceil(now_s - payload.exp)} s ago: mint a new one", Code.TOKEN_EXPIRED
        )
    if payload.iat > now_s + LEEWAY_S:
        raise bad_token("iat lies in the future: set the signer's clock")
    if payload.nbf is not None and payload.nbf > now_s + LEEWAY_S:
        raise bad_token("not valid yet: nbf lies in the future")
    return float(payload.exp)


def _check_names(payload: _Payload) -> None:
    audience = [payload.aud] if isinstance(payload.aud, str) else payload.aud
    if AUDIENCE not in audience:
        raise bad_token(f'wrong audience: aud must be "{AUDIENCE}"')
    if not 0 < len(payload.sub) <= MAX_SUBJECT_CHARS:
        raise bad_token(f"sub has 1 to {MAX_SUBJECT_CHARS} characters")


def _scopes(text: str) -> frozenset[Scope]:
    names = text.split()
    known = {scope.value for scope in Scope}
    if not names or not known.issuperset(names):
        raise bad_token(f"scope is one or more of {' '.join(Scope)}, separated by spaces")
    return frozenset(Scope(name) for name in names)


def _check_ttl(payload: _Payload, scopes: frozenset[Scope]) -> None:
    longest_s = max_ttl_s(scopes)
    if payload.exp - payload.iat > longest_s:
        raise bad_token(
            f"lives too long: exp is at most {longest_s} s after iat for scope {payload.scope}"
        )


def _project(payload: _Payload, record: SigningKeyRecord) -> str:
    project = record.project if record.project is not None else payload.project
    if project is None:
        raise bad_token("a token of the server's own key names its project")
    return project

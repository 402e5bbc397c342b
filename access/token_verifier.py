"""Verifies each token's signature once and remembers the outcome, good or bad, until the keys
change. Pure."""

from dataclasses import dataclass, replace
from hashlib import sha256

from access import tokens
from access.bounded_cache import BoundedCache
from access.claims import Claims
from access.keys import KeySnapshot
from access.problems import Problem
from access.refusals import again

GOOD_TOKENS = 10_000  # about 1 KB each
BAD_TOKENS = 1_000
BAD_TOKEN_S = 5.0  # a clock that was set, or nbf reached, shows after this long


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What was found by one snapshot, good until a time in seconds."""

    snapshot: KeySnapshot
    until_s: float
    found: Claims | Problem


class TokenVerifier:
    """Thread-safe. Holds digests, never tokens."""

    def __init__(self) -> None:
        self._good: BoundedCache[_Verdict] = BoundedCache(GOOD_TOKENS)
        self._bad: BoundedCache[_Verdict] = BoundedCache(BAD_TOKENS)

    def claims(self, token: str, snapshot: KeySnapshot, *, now_s: float) -> Claims:
        """What the token proves by this snapshot's keys. Raises Problem as `tokens.verify`."""
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        verdict = self._good.get(digest) or self._bad.get(digest)
        # A verdict holds for the very snapshot it was made by: any change of keys ends it.
        if verdict is None or verdict.snapshot is not snapshot or now_s >= verdict.until_s:
            verdict = self._judge(digest, token, snapshot, now_s)
        if isinstance(verdict.found, Problem):
            raise again(verdict.found)
        return verdict.found

    def _judge(self, digest: bytes, token: str, snapshot: KeySnapshot, now_s: float) -> _Verdict:
        try:
            claims = tokens.verify(token, key_of=snapshot.signing_keys.get, now_s=now_s)
        except Problem as problem:
            verdict = _Verdict(snapshot, now_s + BAD_TOKEN_S, again(problem))
            self._bad.put(digest, verdict)
            return verdict
        origins = snapshot.origins.get(claims.project, ())
        claims = replace(claims, allowed_origins=origins)
        verdict = _Verdict(snapshot, claims.expires_at_s, claims)
        self._good.put(digest, verdict)
        return verdict

"""A token's signature is checked once, and again as soon as keys change."""

from dataclasses import replace

import pytest

from access import token_verifier, tokens
from access.bounded_cache import BoundedCache
from access.claims import Claims, Scope
from access.keys import KeySnapshot
from access.problems import Code, Problem
from access.token_verifier import BAD_TOKEN_S, TokenVerifier
from tests.key_builders import ProjectKeys, make_snapshot

NOW_S = 1_800_000_000.0
KEYS = ProjectKeys(origins=("https://shop.example",))
SNAPSHOT = make_snapshot(KEYS)
TOKEN = KEYS.token(Scope.QUERY, ttl_s=600, now_s=NOW_S)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every token whose signature was checked, as the real check saw it."""
    seen: list[str] = []
    verify = tokens.verify

    def counted(token: str, **given: object) -> Claims:
        seen.append(token)
        return verify(token, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(tokens, "verify", counted)
    return seen


def refusal_of(verifier: TokenVerifier, token: str, snapshot: KeySnapshot, now_s: float) -> Problem:
    with pytest.raises(Problem) as caught:
        verifier.claims(token, snapshot, now_s=now_s)
    return caught.value


def test_a_good_token_is_checked_once(checks: list[str]) -> None:
    verifier = TokenVerifier()
    first = verifier.claims(TOKEN, SNAPSHOT, now_s=NOW_S)
    assert verifier.claims(TOKEN, SNAPSHOT, now_s=NOW_S + 599) is first
    assert first.allowed_origins == ("https://shop.example",)
    assert checks == [TOKEN]


def test_a_bad_token_is_checked_once_in_a_while(checks: list[str]) -> None:
    verifier = TokenVerifier()
    first = refusal_of(verifier, "bad", SNAPSHOT, NOW_S)
    second = refusal_of(verifier, "bad", SNAPSHOT, NOW_S + BAD_TOKEN_S - 1)
    assert checks == ["bad"]
    assert first is not second
    assert (first.detail, first.headers) == (second.detail, second.headers)

    refusal_of(verifier, "bad", SNAPSHOT, NOW_S + BAD_TOKEN_S)
    assert len(checks) == 2


def test_a_remembered_token_expires_to_the_second() -> None:
    verifier = TokenVerifier()
    assert verifier.claims(TOKEN, SNAPSHOT, now_s=NOW_S)
    assert refusal_of(verifier, TOKEN, SNAPSHOT, NOW_S + 600).code is Code.TOKEN_EXPIRED


def test_a_remembered_token_ends_with_its_key() -> None:
    verifier = TokenVerifier()
    assert verifier.claims(TOKEN, SNAPSHOT, now_s=NOW_S)
    kid = KEYS.pair.public.kid
    revoked = replace(
        SNAPSHOT,
        stamp="2",
        signing_keys={kid: replace(SNAPSHOT.signing_keys[kid], is_revoked=True)},
    )
    assert "revoked" in refusal_of(verifier, TOKEN, revoked, NOW_S).detail


def test_a_token_refused_for_its_key_is_taken_once_the_key_is_registered() -> None:
    verifier = TokenVerifier()
    assert "unknown key" in refusal_of(verifier, TOKEN, KeySnapshot("0"), NOW_S).detail
    assert verifier.claims(TOKEN, SNAPSHOT, now_s=NOW_S).project == "demo"


def test_bad_tokens_never_push_out_good_ones(
    checks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_verifier, "BAD_TOKENS", 3)
    verifier = TokenVerifier()
    verifier.claims(TOKEN, SNAPSHOT, now_s=NOW_S)
    for number in range(50):
        refusal_of(verifier, f"bad{number}", SNAPSHOT, NOW_S)
    verifier.claims(TOKEN, SNAPSHOT, now_s=NOW_S)
    assert checks.count(TOKEN) == 1


def test_the_cache_forgets_what_was_put_in_first() -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    cache.put(b"a", 0)
    cache.put(b"b", 2)
    cache.put(b"a", 1)
    cache.put(b"c", 3)
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == (1, None, 3)
    assert len(cache) == 2

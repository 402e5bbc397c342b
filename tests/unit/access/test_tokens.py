"""What a token proves, and every reason why one proves nothing."""

import hmac
import json
import math
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import PyJWS

from access.claims import Claims, Credential, Scope
from access.errors import BadToken
from access.key_pairs import KeyPair, generate_key_pair, public_key
from access.keys import SigningKeyRecord
from access.problems import Code, Problem
from access.tokens import LEEWAY_S, MAX_INGEST_TTL_S, MAX_TTL_S, mint, verify

NOW_S = 1_800_000_000
PAIR = generate_key_pair()
RECORD = SigningKeyRecord(PAIR.public, "demo", frozenset({Scope.INGEST, Scope.QUERY}))


def claims_of(token: str, *, record: SigningKeyRecord = RECORD, now_s: float = NOW_S) -> Claims:
    return verify(token, key_of={record.public.kid: record}.get, now_s=now_s)


def refusal_of(token: str, *, record: SigningKeyRecord = RECORD, now_s: float = NOW_S) -> Problem:
    with pytest.raises(Problem) as caught:
        claims_of(token, record=record, now_s=now_s)
    problem = caught.value
    if problem.status == 401:
        challenge = problem.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer error="invalid_token", error_description="')
        assert challenge.isascii()
        assert challenge.count('"') == 4
    return problem


def signed(
    payload: dict[str, Any] | bytes, *, pair: KeyPair = PAIR, header: dict[str, Any] | None = None
) -> str:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return PyJWS().encode(
        raw,
        pair.key,
        algorithm=pair.public.algorithm.value,
        headers={"kid": pair.public.kid} | (header or {}),
    )


def payload(**changes: Any) -> dict[str, Any]:
    """A good payload with members changed, or left out where None."""
    good = {
        "aud": "weir",
        "sub": "web",
        "iat": NOW_S,
        "exp": NOW_S + 600,
        "scope": "ingest query",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_minted_token_proves_what_was_asked() -> None:
    token = mint(
        PAIR,
        scopes=[Scope.QUERY],
        now_s=NOW_S + 0.9,
        ttl_s=60,
        subject="dashboard",
        token_filter=["is", "event", ["signup"]],
    )
    claims = claims_of(token)

    assert claims.project == "demo"
    assert claims.subject == "dashboard"
    assert claims.scopes == {Scope.QUERY}
    assert claims.expires_at_s == NOW_S + 60
    assert claims.credential is Credential.TOKEN
    assert claims.kid == PAIR.public.kid
    assert claims.filter == ["is", "event", ["signup"]]
    assert claims.jti


@pytest.mark.parametrize(
    "private", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)]
)
def test_keys_of_the_other_algorithms_sign_too(private: Any) -> None:
    pair = KeyPair(public_key(private.public_key()), private)
    record = replace(RECORD, public=pair.public)
    token = mint(pair, scopes=[Scope.INGEST], now_s=NOW_S, ttl_s=60, subject="s")
    assert claims_of(token, record=record).project == "demo"


def test_a_customers_token_cannot_name_a_project() -> None:
    assert claims_of(signed(payload(project="other"))).project == "demo"


def test_the_servers_own_key_names_the_project_in_the_token() -> None:
    server = replace(RECORD, project=None)
    assert claims_of(signed(payload(project="any")), record=server).project == "any"
    assert "names its project" in refusal_of(signed(payload()), record=server).detail


def test_claims_expire_with_the_key_that_retires_first() -> None:
    retiring = replace(RECORD, not_after_s=NOW_S + 5)
    assert claims_of(signed(payload()), record=retiring).expires_at_s == NOW_S + 5


def test_alg_none_is_refused() -> None:
    header = base64url(json.dumps({"alg": "none", "kid": PAIR.public.kid}).encode())
    body = base64url(json.dumps(payload()).encode())
    for signature in ("", "AAAA"):
        problem = refusal_of(f"{header}.{body}.{signature}")
        assert (problem.status, problem.code) == (401, Code.INVALID_TOKEN)
        assert "registered for EdDSA alone" in problem.detail


def test_the_public_key_is_no_hmac_secret() -> None:
    header = base64url(json.dumps({"alg": "HS256", "kid": PAIR.public.kid}).encode())
    body = base64url(json.dumps(payload()).encode())
    secret = PAIR.public.pem.encode()
    mac = hmac.new(secret, f"{header}.{body}".encode(), sha256).digest()
    assert "wrong alg" in refusal_of(f"{header}.{body}.{base64url(mac)}").detail


def test_a_registered_key_takes_no_other_algorithm_of_its_own_type() -> None:
    private = rsa.generate_private_key(65537, 2048)
    pair = KeyPair(public_key(private.public_key()), private)
    token = PyJWS().encode(
        json.dumps(payload()).encode(), private, algorithm="PS256", headers={"kid": pair.public.kid}
    )
    problem = refusal_of(token, record=replace(RECORD, public=pair.public))
    assert "registered for RS256 alone" in problem.detail


def test_another_key_under_a_known_kid_is_refused() -> None:
    stranger = generate_key_pair()
    token = signed(payload(), pair=stranger, header={"kid": PAIR.public.kid})
    assert "wrong signature" in refusal_of(token).detail


def test_a_changed_payload_is_refused() -> None:
    header, _, signature = signed(payload()).split(".")
    changed = base64url(json.dumps(payload(scope="ingest")).encode())
    assert "wrong signature" in refusal_of(f"{header}.{changed}.{signature}").detail


def test_a_foreign_kid_is_an_unknown_key() -> None:
    problem = refusal_of(signed(payload(), pair=generate_key_pair()))
    assert problem.code is Code.INVALID_TOKEN
    assert "unknown key" in problem.detail


@pytest.mark.parametrize("kid", [None, 7, "", "a b", "../etc/passwd", "x" * 65, "k\n", ["a"]])
def test_a_kid_that_is_no_thumbprint_is_refused(kid: object) -> None:
    header = {"alg": "EdDSA"} | ({"kid": kid} if kid is not None else {})
    token = f"{base64url(json.dumps(header).encode())}.e30.AAAA"
    assert refusal_of(token).code is Code.INVALID_TOKEN


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c", "crit", "b64", "zip", "enc"])
def test_headers_that_name_keys_or_change_the_reading_are_refused(name: str) -> None:
    value: object = ["b64"] if name == "crit" else "x"
    header = {"alg": "EdDSA", "kid": PAIR.public.kid, name: value}
    token = f"{base64url(json.dumps(header).encode())}.e30.AAAA"
    assert refusal_of(token).code is Code.INVALID_TOKEN


def test_a_revoked_or_retired_key_says_so() -> None:
    token = signed(payload())
    assert "was revoked" in refusal_of(token, record=replace(RECORD, is_revoked=True)).detail
    retired = replace(RECORD, not_after_s=NOW_S)
    assert "retired by a rotation" in refusal_of(token, record=retired).detail


def test_an_expired_token_has_its_own_code() -> None:
    token = signed(payload())
    assert claims_of(token, now_s=NOW_S + 599.9)
    problem = refusal_of(token, now_s=NOW_S + 600)
    assert (problem.status, problem.code) == (401, Code.TOKEN_EXPIRED)


@pytest.mark.parametrize("name", ["aud", "sub", "iat", "exp", "scope"])
def test_a_missing_claim_is_named(name: str) -> None:
    problem = refusal_of(signed(payload(**{name: None})))
    assert problem.code is Code.INVALID_TOKEN
    assert name in problem.detail


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"aud": "other"}, "wrong audience"),
        ({"aud": []}, "wrong audience"),
        ({"aud": 7}, "aud"),
        ({"sub": ""}, "sub has"),
        ({"sub": "x" * 201}, "sub has"),
        ({"sub": 7}, "sub"),
        ({"iat": True}, "iat"),
        ({"exp": "soon"}, "exp"),
        ({"exp": 10**400}, "exp"),
        ({"iat": -(10**400)}, "iat"),
        ({"exp": 1e300}, "exp"),
        ({"nbf": 10**15}, "nbf"),
        ({"nbf": NOW_S + LEEWAY_S + 1}, "not valid yet"),
        ({"iat": NOW_S + LEEWAY_S + 1, "exp": NOW_S + 600}, "future"),
        ({"exp": NOW_S + MAX_TTL_S + 1}, "lives too long"),
        ({"scope": "ingest", "exp": NOW_S + MAX_INGEST_TTL_S + 1}, "lives too long"),
        ({"scope": ""}, "scope is one or more"),
        ({"scope": "  "}, "scope is one or more"),
        ({"scope": "ingest admin"}, "scope is one or more"),
        ({"scope": ["ingest"]}, "scope"),
        ({"filter": {"a": 1}}, "filter"),
        ({"filter": "x"}, "filter"),
        ({"jti": 7}, "jti"),
    ],
)
def test_a_wrong_claim_is_named(changes: dict[str, Any], said: str) -> None:
    problem = refusal_of(signed(payload(**changes)))
    assert (problem.status, problem.code) == (401, Code.INVALID_TOKEN)
    assert said in problem.detail


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["other", "weir"]},
        {"iat": NOW_S + LEEWAY_S},
        {"nbf": NOW_S + LEEWAY_S},
        {"iat": NOW_S - 0.5, "exp": NOW_S + 0.5},
        {"exp": NOW_S + MAX_TTL_S},
        {"scope": "ingest", "exp": NOW_S + MAX_INGEST_TTL_S},
        {"filter": []},
        {"unknown": {"a": [1]}},
    ],
)
def test_claims_at_their_limits_are_taken(changes: dict[str, Any]) -> None:
    assert claims_of(signed(payload(**changes))).project == "demo"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"7",
        b"{",
        b'{"aud": NaN}',
        b"\xff\xfe",
        b'{"filter": ' + b"[" * 2500 + b"]" * 2500 + b"}",
    ],
)
def test_signed_rubbish_is_refused(raw: bytes) -> None:
    assert "cannot be read" in refusal_of(signed(raw)).detail


def test_a_scope_that_the_key_does_not_grant_is_403() -> None:
    problem = refusal_of(signed(payload(scope="ingest operate replay")))
    assert (problem.status, problem.code) == (403, Code.SCOPE_NOT_GRANTED)
    assert "operate replay" in problem.detail
    assert "insufficient_scope" in problem.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "mangle",
    [
        lambda token: "",
        lambda token: "a.b.c",
        lambda token: token.replace(".", ""),
        lambda token: token + ".x",
        lambda token: token[:-2],
        lambda token: "é" + token,
        lambda token: "\ud800" + token,
        lambda token: token + "A" * 9000,
        lambda token: " " + token,
        lambda token: token.split(".")[0] + "..",
    ],
)
def test_mangled_tokens_are_refused(mangle: Callable[[str], str]) -> None:
    problem = refusal_of(mangle(signed(payload())))
    assert (problem.status, problem.code) == (401, Code.INVALID_TOKEN)


@pytest.mark.parametrize(
    ("scopes", "ttl_s", "subject", "said"),
    [
        ([], 60, "s", "needs a scope"),
        ([Scope.QUERY], MAX_TTL_S + 1, "s", "lives 1 to"),
        ([Scope.INGEST], MAX_INGEST_TTL_S + 1, "s", "lives 1 to"),
        ([Scope.QUERY], 0, "s", "lives 1 to"),
        ([Scope.QUERY], 60, "", "subject"),
        ([Scope.QUERY], 60, "x" * 201, "subject"),
    ],
)
def test_a_token_that_doors_would_refuse_is_not_minted(
    scopes: list[Scope], ttl_s: int, subject: str, said: str
) -> None:
    with pytest.raises(BadToken, match=said):
        mint(PAIR, scopes=scopes, now_s=NOW_S, ttl_s=ttl_s, subject=subject)


def test_the_longest_lives_may_be_minted() -> None:
    for scopes, ttl_s in (([Scope.QUERY], MAX_TTL_S), ([Scope.INGEST], MAX_INGEST_TTL_S)):
        token = mint(PAIR, scopes=scopes, now_s=NOW_S, ttl_s=ttl_s, subject="s")
        assert math.isclose(claims_of(token).expires_at_s, NOW_S + ttl_s)

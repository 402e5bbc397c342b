"""Whatever text comes in place of a token: it proves something or is refused, nothing else."""

import json
from base64 import urlsafe_b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from jwt import PyJWS

from access.claims import Claims, Scope
from access.key_pairs import generate_key_pair
from access.keys import SigningKeyRecord
from access.problems import Problem
from access.tokens import verify

PAIR = generate_key_pair()
RECORD = SigningKeyRecord(PAIR.public, "demo", frozenset({Scope.INGEST}))
KEYS = {PAIR.public.kid: RECORD}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
headers = st.fixed_dictionaries(
    {"alg": st.sampled_from(["EdDSA", "none", "HS256", "RS256", "ES256"]) | json_values},
    optional={
        "kid": st.just(PAIR.public.kid) | json_values,
        "typ": json_values,
        "crit": json_values,
        "b64": json_values,
        "jwk": json_values,
    },
)
claims = st.fixed_dictionaries(
    {},
    optional={
        "aud": st.just("weir") | json_values,
        "sub": st.just("s") | json_values,
        "iat": st.just(100) | json_values,
        "exp": st.just(200) | json_values,
        "scope": st.just("ingest") | json_values,
        "nbf": json_values,
        "filter": json_values,
        "jti": json_values,
        "project": json_values,
    },
)


def part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def outcome_of(token: str) -> Claims | Problem:
    try:
        return verify(token, key_of=KEYS.get, now_s=150)
    except Problem as problem:
        return problem


def expect_problem(token: str) -> None:
    outcome = outcome_of(token)
    assert isinstance(outcome, Problem)
    assert outcome.status in (401, 403)


@settings(max_examples=60)
@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_=-]{0,40}(\.[A-Za-z0-9_=-]{0,40}){0,4}"))
def test_arbitrary_text_is_refused(token: str) -> None:
    expect_problem(token)


@settings(max_examples=80)
@given(headers, claims, st.binary(max_size=70))
def test_unsigned_tokens_of_any_shape_are_refused(
    header: dict[str, object], body: dict[str, object], signature: bytes
) -> None:
    end = urlsafe_b64encode(signature).rstrip(b"=").decode()
    expect_problem(f"{part(header)}.{part(body)}.{end}")


@settings(max_examples=80)
@given(claims)
def test_signed_claims_of_any_shape_prove_something_or_are_refused(
    body: dict[str, object],
) -> None:
    token = PyJWS().encode(
        json.dumps(body).encode(), PAIR.key, algorithm="EdDSA", headers={"kid": PAIR.public.kid}
    )
    proved = outcome_of(token)
    if isinstance(proved, Problem):
        assert proved.status in (401, 403)
    else:
        assert proved.project == "demo"
        assert proved.scopes == {Scope.INGEST}

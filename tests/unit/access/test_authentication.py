"""From a request to Claims: where credentials are found, and what each of them opens."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from access.authentication import MAX_QUERY_TOKEN_S, Authenticator
from access.claims import Claims, Credential, Scope
from access.problems import Code, Problem
from tests.key_builders import (
    KeysInHand,
    ProjectKeys,
    make_authenticator,
    make_request,
    make_snapshot,
)

SHOP = "https://shop.example"
KEYS = ProjectKeys(origins=(SHOP,))
AUTHENTICATOR = make_authenticator(KEYS, ProjectKeys(project="other"))


def claims_of(
    headers: Mapping[str, str] | None = None,
    *,
    query: str = "",
    method: str = "GET",
    scope: Scope | None = Scope.INGEST,
    **door: Any,
) -> Claims:
    request = make_request(headers, query=query, method=method)
    return AUTHENTICATOR.authenticate(request, scope=scope, **door)


def refusal_of(headers: Mapping[str, str] | None = None, **given: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        claims_of(headers, **given)
    return caught.value


def basic(user: str, password: str = "") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def test_a_bearer_token_proves_its_project() -> None:
    claims = claims_of(KEYS.bearer())
    assert (claims.project, claims.credential) == ("demo", Credential.TOKEN)
    assert claims.allowed_origins == (SHOP,)


def test_the_scheme_is_read_in_any_case() -> None:
    assert claims_of({"Authorization": f"bEARER  {KEYS.token()} "}).project == "demo"


def test_no_credential_is_401_with_the_challenge_of_every_401() -> None:
    problem = refusal_of()
    assert (problem.status, problem.code) == (401, Code.UNAUTHORIZED)
    assert problem.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert "X-Write-Key" in refusal_of(write_key=True).detail


@pytest.mark.parametrize("value", ["Digest abc", "Token x", "bearer", "Bearer", "Bearer  "])
def test_other_schemes_and_empty_tokens_are_401(value: str) -> None:
    assert refusal_of({"Authorization": value}).status == 401


def test_a_token_without_the_scope_is_403() -> None:
    problem = refusal_of(KEYS.bearer(Scope.QUERY))
    assert (problem.status, problem.code) == (403, Code.MISSING_SCOPE)
    assert "insufficient_scope" in problem.headers["WWW-Authenticate"]


def test_any_scope_will_do_where_none_is_asked() -> None:
    assert claims_of(KEYS.bearer(Scope.QUERY), scope=None).scopes == {Scope.QUERY}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-Write-Key": KEYS.write_key}, ""),
        (basic(KEYS.write_key), ""),
        (basic(KEYS.write_key, "ignored"), ""),
        ({}, f"a=1&k={KEYS.write_key}"),
    ],
)
def test_a_write_key_opens_sending_wherever_it_is_put(
    headers: Mapping[str, str], query: str
) -> None:
    claims = claims_of(headers, query=query, write_key=True)
    assert claims.project == "demo"
    assert claims.credential is Credential.WRITE_KEY
    assert claims.scopes == {Scope.INGEST}
    assert claims.subject == f"write_key:{KEYS.write_key[:11]}"


@pytest.mark.parametrize("headers", [{"X-Write-Key": KEYS.write_key}, basic(KEYS.write_key)])
def test_a_write_key_opens_no_other_door(headers: Mapping[str, str]) -> None:
    for scope in (Scope.QUERY, Scope.INGEST, None):
        assert refusal_of(headers, scope=scope).code is Code.MISSING_SCOPE
    assert refusal_of(headers, scope=Scope.QUERY, write_key=True).code is Code.MISSING_SCOPE


def test_a_write_key_in_the_address_is_read_only_where_it_is_taken() -> None:
    assert refusal_of(query=f"k={KEYS.write_key}").code is Code.UNAUTHORIZED


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Write-Key": "wk_unknown"},
        {"X-Write-Key": ""},
        {"X-Write-Key": KEYS.write_key[:-1]},
        {"X-Write-Key": "wk_\xff"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic " + b64encode(b"\xff:").decode()},
    ],
)
def test_a_wrong_write_key_is_401(headers: Mapping[str, str]) -> None:
    problem = refusal_of(headers, write_key=True)
    assert (problem.status, problem.code) == (401, Code.UNAUTHORIZED)
    assert 'error="invalid_token"' in problem.headers["WWW-Authenticate"]


def test_a_token_goes_before_a_write_key() -> None:
    headers = KEYS.bearer() | {"X-Write-Key": "wk_unknown"}
    assert claims_of(headers, write_key=True).credential is Credential.TOKEN


def test_a_write_key_from_a_page_that_is_not_listed_is_403() -> None:
    headers = {"X-Write-Key": KEYS.write_key}
    assert claims_of(headers | {"Origin": SHOP}, write_key=True).project == "demo"
    for origin in ("https://evil.example", "null", "", SHOP + ".evil.example"):
        problem = refusal_of(headers | {"Origin": origin}, write_key=True)
        assert (problem.status, problem.code) == (403, Code.ORIGIN_NOT_ALLOWED)


def test_a_star_allows_every_page() -> None:
    keys = ProjectKeys(origins=("*",))
    request = make_request({"X-Write-Key": keys.write_key, "Origin": "https://any.example"})
    claims = make_authenticator(keys).authenticate(request, scope=Scope.INGEST, write_key=True)
    assert claims.project == "demo"


def test_a_token_is_not_bound_to_pages() -> None:
    assert claims_of(KEYS.bearer() | {"Origin": "https://evil.example"}).project == "demo"


def test_a_short_query_token_may_stand_in_the_address_of_a_get() -> None:
    token = KEYS.token(Scope.QUERY, ttl_s=MAX_QUERY_TOKEN_S)
    given: dict[str, Any] = {"query": f"x=1&access_token={token}", "scope": Scope.QUERY}

    assert claims_of(query_token=True, **given).project == "demo"
    assert claims_of(query_token=True, method="HEAD", **given).project == "demo"
    assert refusal_of(query_token=False, **given).code is Code.UNAUTHORIZED
    assert refusal_of(query_token=True, method="POST", **given).code is Code.UNAUTHORIZED


@pytest.mark.parametrize(
    ("scopes", "ttl_s"),
    [
        ((Scope.QUERY,), MAX_QUERY_TOKEN_S + 120),
        ((Scope.QUERY, Scope.INGEST), 60),
        ((Scope.INGEST,), 60),
    ],
)
def test_other_tokens_may_not_stand_in_an_address(scopes: tuple[Scope, ...], ttl_s: int) -> None:
    token = KEYS.token(*scopes, ttl_s=ttl_s)
    problem = refusal_of(query=f"access_token={token}", query_token=True, scope=None)
    assert (problem.status, problem.code) == (401, Code.INVALID_TOKEN)
    assert "in the address" in problem.detail


@pytest.mark.parametrize(
    "query", ["access_token=", "access_token", "%ff=%ff", "&&&", "access_token=%00%ff", "k="]
)
def test_rubbish_in_the_address_is_401(query: str) -> None:
    assert refusal_of(query=query, query_token=True, write_key=True).status == 401


def test_a_token_from_a_socket_is_judged_alike() -> None:
    token = KEYS.token(Scope.QUERY)
    assert AUTHENTICATOR.authenticate_token(token, scope=Scope.QUERY).project == "demo"
    with pytest.raises(Problem, match="scope ingest"):
        AUTHENTICATOR.authenticate_token(token, scope=Scope.INGEST)


def test_the_clock_is_read_at_every_use_of_a_remembered_token() -> None:
    now_s = [1_800_000_000.0]
    authenticator = Authenticator(KeysInHand(make_snapshot(KEYS)), clock=lambda: now_s[0])
    token = KEYS.token(Scope.QUERY, ttl_s=60, now_s=now_s[0])

    assert authenticator.authenticate_token(token, scope=None)
    now_s[0] += 60
    with pytest.raises(Problem) as caught:
        authenticator.authenticate_token(token, scope=None)
    assert caught.value.code is Code.TOKEN_EXPIRED


def test_no_refusal_repeats_the_credential() -> None:
    token, key = KEYS.token(Scope.QUERY), "wk_secretsecret"
    refusals = [
        refusal_of({"Authorization": f"Bearer {token}x"}),
        refusal_of({"Authorization": f"Bearer {token}"}),
        refusal_of({"X-Write-Key": key}, write_key=True),
        refusal_of(query=f"access_token={token}x", query_token=True),
    ]
    for problem in refusals:
        written = f"{problem.detail} {problem.headers}"
        assert token not in written
        assert token.rpartition(".")[2] not in written
        assert key not in written

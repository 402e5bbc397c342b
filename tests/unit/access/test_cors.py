"""Which pages may read a reply, by the project's own list."""

from collections.abc import Mapping

import pytest

from access.authentication import Authenticator
from access.claims import Scope
from access.cors import with_cors
from access.http import Request
from access.keys import KeySnapshot
from access.problems import Code, Problem, Reply
from access.refusals import keys_not_loaded
from tests.key_builders import ProjectKeys, make_authenticator, make_request

SHOP, BLOG, EVIL = "https://shop.example", "https://blog.example", "https://evil.example"
KEYS = ProjectKeys(origins=(SHOP,))
OTHER = ProjectKeys(project="other", origins=(BLOG,))
AUTHENTICATOR = make_authenticator(KEYS, OTHER)
LASTING_S = 6 * 3600  # tokens made when tests are collected, used much later
ALLOW = "Access-Control-Allow-Origin"


async def door(request: Request) -> Reply:
    AUTHENTICATOR.authenticate(request, scope=Scope.INGEST, write_key=True)
    return Reply(200, b"{}", headers={"ETag": '"1"'})


async def headers_of(
    headers: Mapping[str, str], *, method: str = "POST", query: str = ""
) -> Mapping[str, str]:
    """Of the reply or of the problem."""
    try:
        reply = await with_cors(door, AUTHENTICATOR)(
            make_request(headers, method=method, query=query)
        )
    except Problem as problem:
        return problem.headers
    return reply.headers


async def preflight(origin: str) -> Reply:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return await with_cors(door, AUTHENTICATOR)(make_request(headers, method="OPTIONS"))


@pytest.mark.parametrize("origin", [SHOP, BLOG])
async def test_a_preflight_is_answered_for_any_project_that_lists_the_origin(origin: str) -> None:
    reply = await preflight(origin)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers[ALLOW] == origin
    assert reply.headers["Vary"] == "Origin"
    assert reply.headers["Access-Control-Max-Age"] == "7200"
    allowed = reply.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "Content-Type", "X-Write-Key", "X-Retry-Count"} <= set(allowed)
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]


async def test_a_preflight_from_nowhere_listed_is_403() -> None:
    with pytest.raises(Problem) as caught:
        await preflight(EVIL)
    assert (caught.value.status, caught.value.code) == (403, Code.ORIGIN_NOT_ALLOWED)
    assert caught.value.headers == {"Vary": "Origin"}


async def test_options_without_an_origin_is_204_with_nothing_allowed() -> None:
    reply = await with_cors(door, AUTHENTICATOR)(make_request(method="OPTIONS"))
    assert (reply.status, dict(reply.headers)) == (204, {"Vary": "Origin"})


@pytest.mark.parametrize(
    ("credential", "origin", "is_open"),
    [
        (KEYS.bearer(ttl_s=LASTING_S), SHOP, True),
        (KEYS.bearer(ttl_s=LASTING_S), BLOG, False),
        (KEYS.bearer(ttl_s=LASTING_S), EVIL, False),
        (OTHER.bearer(ttl_s=LASTING_S), BLOG, True),
        (OTHER.bearer(ttl_s=LASTING_S), SHOP, False),
        ({"X-Write-Key": KEYS.write_key}, SHOP, True),
        ({"X-Write-Key": KEYS.write_key}, BLOG, False),
    ],
)
async def test_a_reply_is_open_to_its_own_projects_pages(
    credential: Mapping[str, str], origin: str, is_open: bool
) -> None:
    headers = await headers_of({**credential, "Origin": origin})
    assert headers.get(ALLOW) == (origin if is_open else None)
    assert headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in headers
    exposed = {"Access-Control-Expose-Headers": "Retry-After, ETag, X-Request-Id"}
    assert (exposed.items() <= headers.items()) is is_open


async def test_the_doors_own_headers_stay() -> None:
    headers = await headers_of({**KEYS.bearer(), "Origin": SHOP})
    assert headers["ETag"] == '"1"'


async def test_a_write_key_in_the_address_finds_its_project() -> None:
    headers = await headers_of({"Origin": SHOP}, query=f"k={KEYS.write_key}")
    assert headers[ALLOW] == SHOP


async def test_a_listed_page_may_read_why_it_was_refused() -> None:
    headers = await headers_of({"Origin": SHOP, "X-Write-Key": "wk_unknown"})
    assert headers[ALLOW] == SHOP
    assert "invalid_token" in headers["WWW-Authenticate"]
    assert ALLOW not in await headers_of({"Origin": EVIL, "X-Write-Key": "wk_unknown"})


async def test_without_an_origin_caches_still_learn_that_it_matters() -> None:
    assert dict(await headers_of(KEYS.bearer())) == {"ETag": '"1"', "Vary": "Origin"}


async def test_vary_joins_what_the_door_says() -> None:
    async def varied(request: Request) -> Reply:
        return Reply(200, b"", headers={"Vary": "Accept"})

    reply = await with_cors(varied, AUTHENTICATOR)(make_request())
    assert reply.headers["Vary"] == "Accept, Origin"


async def test_while_the_keys_are_away_nothing_is_opened() -> None:
    class NoKeys:
        def snapshot(self) -> KeySnapshot:
            raise keys_not_loaded()

    authenticator = Authenticator(NoKeys())

    async def asks(request: Request) -> Reply:
        authenticator.authenticate(request, scope=None)
        raise AssertionError

    with pytest.raises(Problem) as caught:
        await with_cors(asks, authenticator)(make_request({**KEYS.bearer(), "Origin": SHOP}))
    assert caught.value.status == 503
    assert ALLOW not in caught.value.headers

"""Every query may name the generation of the view that it reads, and says which one answered."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.api.query.world import World, refusal
from tests.builders import make_event
from timeseries.generations import READER
from timeseries.lifecycle import begin_generation, mark_ready, rollback, swap
from timeseries.models import Generation

SERIES, EVENTS = "/v1/query/series", "/v1/query/events"
RANGE = "from=2026-11-01&to=2026-11-02"
KINDS = (
    f"{SERIES}?{RANGE}",
    f"/v1/query/total?{RANGE}",
    f"/v1/query/top?{RANGE}&group_by=event",
    f"{EVENTS}?{RANGE}",
    "/v1/meta/events?limit=9",
    "/v1/meta/properties?",
    "/v1/meta/values?field=event",
)
DROPPED = 4


@pytest.fixture(scope="module", autouse=True)
def _sent(world: World) -> None:
    """Three events: generation 1 (served) has all, 2 (ready) the later two, 3 (building) the
    last."""
    for name in ("first", "second", "third"):
        properties = f'{{"only_{name}": 1}}'
        world.send([make_event(project=world.ours.project, event=name, properties=properties)])
        if name == "first":
            begin_generation()
            mark_ready(2)
        if name == "second":
            begin_generation()
    Generation.objects.create(number=DROPPED, state=Generation.State.DROPPED)
    READER.forget()


@pytest.fixture
def _swapped() -> Iterator[None]:
    swap(2)
    yield
    rollback(2)


def names(world: World, generation: str) -> list[str]:
    seen = world.get(f"/v1/meta/events?{generation}").json()["data"]
    return sorted(each["event"] for each in seen)


def total(world: World, parameters: str = "") -> int:
    answer = world.get(f"/v1/query/total?{RANGE}{parameters}").json()
    return int(answer["series"][0]["total"][0])


@pytest.mark.parametrize("address", KINDS)
@pytest.mark.parametrize("asked", [1, 2, 3, None])
def test_every_answer_says_which_generation_it_is_of(
    world: World, address: str, asked: int | None
) -> None:
    answer = world.get(address if asked is None else f"{address}&generation={asked}").json()

    assert answer["meta"]["generation"] == (asked or 1)


def test_each_generation_answers_for_itself(world: World) -> None:
    assert [total(world, f"&generation={number}") for number in (1, 2, 3)] == [3, 2, 1]
    assert total(world) == 3
    assert names(world, "generation=2") == ["second", "third"]
    listed = world.get(f"{EVENTS}?generation=3").json()
    assert [event["event"] for event in listed["data"]] == ["third"]
    properties = world.get("/v1/meta/properties?generation=3").json()["data"]
    assert [each["name"] for each in properties] == ["properties.only_third"]
    top = world.get(f"/v1/query/top?{RANGE}&group_by=event&generation=2").json()
    assert len(top["series"]) == 2


def test_a_posted_query_names_it_in_its_address(world: World) -> None:
    query = {"range": {"from": "2026-11-01", "to": "2026-11-02"}}
    answer = world.answer(f"{SERIES}?generation=2", query)

    assert (answer["series"][0]["total"], answer["meta"]["generation"]) == ([2], 2)
    long = world.get(f"{SERIES}?generation=3&query={quote(str(query).replace(chr(39), chr(34)))}")
    assert long.json()["series"][0]["total"] == [1]


@pytest.mark.parametrize("address", KINDS)
@pytest.mark.parametrize("number", [0, DROPPED, 5, 999_999_999])
def test_a_generation_that_is_not_there_is_not_found(
    world: World, address: str, number: int
) -> None:
    response = world.get(f"{address}&generation={number}")

    assert refusal(response) == (404, "not_found", "generation")
    assert "1, 2, 3" in response.json()["detail"]


@pytest.mark.parametrize("address", KINDS)
@pytest.mark.parametrize("text", ["", "two", "-1", "1.0", "²", "9999999999", "1&generation=2"])
def test_what_is_no_number_is_refused(world: World, address: str, text: str) -> None:
    response = world.get(f"{address}&generation={quote(text, safe='&=')}")

    assert refusal(response) == (422, "invalid_query", "generation")


@pytest.mark.parametrize("address", [f"{SERIES}?{RANGE}", f"{EVENTS}?{RANGE}&event=third"])
def test_tags_tell_generations_apart(world: World, address: str) -> None:
    """Also where the answers are the same."""
    addresses = [f"{address}&generation={number}" for number in (1, 2, 3)]
    tags = [world.get(each).headers["etag"] for each in addresses]

    assert len(set(tags)) == 3
    assert world.get(address).headers["etag"] == tags[0]
    for own, tag in zip(addresses, tags, strict=True):
        assert world.get(own, headers={"If-None-Match": tag}).status_code == 304
    assert world.get(addresses[1], headers={"If-None-Match": tags[0]}).status_code == 200


@pytest.mark.usefixtures("_swapped")
def test_after_a_swap_the_new_one_answers_and_the_old_tag_holds_no_more(world: World) -> None:
    assert (total(world), total(world, "&generation=1")) == (2, 3)
    rollback(2)
    tag = world.get(f"{SERIES}?{RANGE}").headers["etag"]
    swap(2)

    answer = world.get(f"{SERIES}?{RANGE}", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.json()["meta"]["generation"]) == (200, 2)


def test_a_list_goes_on_in_its_generation(world: World) -> None:
    page = world.get(f"{EVENTS}?limit=1&generation=2").json()
    going_on = f"{EVENTS}?limit=9&cursor={page['next_cursor']}"

    for address in (going_on, f"{going_on}&generation=2"):
        rest = world.get(address).json()
        assert (len(rest["data"]), rest["meta"]["generation"]) == (1, 2)
    assert refusal(world.get(f"{going_on}&generation=1")) == (422, "invalid_query", "cursor")


def test_nobody_says_how_complete_a_generation_is_that_is_being_built(world: World) -> None:
    through = [
        world.get(f"{SERIES}?{RANGE}&generation={number}").json()["meta"]["complete_through"]
        for number in (1, 2, 3)
    ]
    assert [each is not None for each in through] == [True, True, False]

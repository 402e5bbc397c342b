"""The admin pages of generations: the list, one of them, and who may do what."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from access.services import create_project
from replay import generation_diff, rebuilds, services
from replay.models import Replay
from tests.builders import NOON_MS
from tests.damage import EmbeddedDamage
from tests.local_pipeline import LocalPipeline, local_pipeline
from tests.rebuild_builders import work
from tests.replay_builders import ANNA, fill
from tests.replay_pages import client_with, text_of
from timeseries.backends import SERIES_STORE

LIST, REBUILD = "/admin/generations/", "/admin/generations/rebuild/"
MOVES = ("verify", "swap", "rollback", "drop")


@pytest.fixture
def pipeline(tmp_path: Path, db: None) -> Iterator[LocalPipeline]:
    with local_pipeline(tmp_path) as running:
        create_project("demo")
        fill(running, 60)
        yield running


@pytest.fixture
def staff(pipeline: LocalPipeline) -> Client:
    """Signed in, may rebuild and serve."""
    return client_with("start_replay", "serve_generation", name="anna")


@pytest.fixture
def viewer(pipeline: LocalPipeline) -> Client:
    """Signed in, allowed to look."""
    return client_with("view_replay", name="viewer")


def begin(client: Client, **changes: str) -> Any:  # Any: Django's test response
    sent = {"reason": "another mapping", "auto": "on", "key": str(uuid4())} | changes
    return client.post(REBUILD, sent)


def move(client: Client, generation: int, name: str) -> Any:  # Any: as above
    return client.post(f"{LIST}{generation}/{name}/", follow=True)


def buttons(client: Client, generation: int) -> list[str]:
    page = client.get(f"{LIST}{generation}/").content.decode()
    return [name for name in MOVES if f'href="{LIST}{generation}/{name}/"' in page]


def test_a_generation_from_rebuild_to_drop(pipeline: LocalPipeline, staff: Client) -> None:
    first = text_of(staff.get(LIST))
    made = begin(staff)
    building = text_of(staff.get(LIST))
    early = buttons(staff, 2)
    work(pipeline)
    ready = text_of(staff.get(f"{LIST}2/"))

    assert "Rebuild Generation State" in first
    assert "Generation 1 served read it: it is served" in first
    row = Replay.objects.get()
    assert made.headers["Location"] == f"/admin/replay/replay/{row.id}/change/"
    assert (row.requested_by, row.max_eps, row.auto) == ("anna", None, True)
    assert "Generation 2 is being built: another one can begin once it is ready" in building
    assert "not verified yet" in building
    assert early == ["drop"]
    assert "Verification equal: 60 events in 5 hours; 0 events refused by the view" in ready
    assert "completed, projected 60 of 60 (100%)" in ready
    assert buttons(staff, 2) == ["verify", "swap", "drop"]
    assert "Generation 2 is served." in text_of(move(staff, 2, "swap"))
    assert (buttons(staff, 2), buttons(staff, 1)) == (["verify", "rollback"], ["swap", "drop"])
    assert "a rollback goes to it" in text_of(staff.get(LIST))
    assert "Generation 1 is served again." in text_of(move(staff, 2, "rollback"))
    assert "Generation 2 is dropped." in text_of(move(staff, 2, "drop"))
    dropped = text_of(staff.get(f"{LIST}2/"))
    assert "Freed at, UTC" in dropped
    assert buttons(staff, 2) == []


def test_a_cancelled_verification_can_be_asked_for_again(
    pipeline: LocalPipeline, staff: Client
) -> None:
    begin(staff)
    work(pipeline)
    move(staff, 2, "verify")
    services.cancel(Replay.objects.get().id, ANNA)

    page = text_of(staff.get(f"{LIST}2/"))
    assert "Verification the last one was cancelled: verify it again" in page
    assert buttons(staff, 2) == ["verify", "drop"]
    move(staff, 2, "verify")
    work(pipeline)
    assert buttons(staff, 2) == ["verify", "swap", "drop"]


def test_a_rebuild_is_linked_both_ways(pipeline: LocalPipeline, staff: Client) -> None:
    replay = begin(staff).headers["Location"]

    assert f'href="{LIST}2/"' in staff.get(replay).content.decode()
    assert f'href="{replay}"' in staff.get(f"{LIST}2/").content.decode()
    assert f'href="{LIST}"' in staff.get("/admin/replay/replay/").content.decode()


def test_what_differs_comes_in_pages(
    pipeline: LocalPipeline, staff: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(staff)
    work(pipeline)
    lost = pipeline_keys(pipeline)
    for key in lost:
        EmbeddedDamage(tmp_path, "demo", generation=1).delete(key)
    monkeypatch.setattr("replay.generation_admin.CELLS", 1)

    cells: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = staff.get(f"{LIST}2/diff", {"cursor": cursor}).json()
        cells += page["data"]
        cursor = page["next_cursor"]

    assert [(cell["served"], cell["generation"]) for cell in cells] == [(3, 4), (3, 4)]
    assert {cell["project"] for cell in cells} == {"demo"}
    assert "What it shows other than generation 1" in text_of(staff.get(f"{LIST}2/"))
    assert "What it shows other" not in text_of(staff.get(f"{LIST}1/"))


def pipeline_keys(pipeline: LocalPipeline) -> list[bytes]:
    """Of one order in each of two hours: four of them are in each."""
    from warehouse.ports import ScanWindow

    pages = pipeline.events.scan(ScanWindow("demo", 0, NOON_MS))
    rows = [row for page in pages for row in page.rows if row.event == "order"]
    return [rows[0].key, rows[-1].key]


def test_a_diff_that_cannot_be_made_is_said(
    pipeline: LocalPipeline, staff: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(staff)
    move(staff, 2, "drop")
    dropped, unknown = staff.get(f"{LIST}2/diff"), staff.get(f"{LIST}9/diff")
    begin(staff)
    work(pipeline)
    SERIES_STORE.get().close()
    SERIES_STORE.forget()
    for file in (tmp_path / "timeseries").iterdir():
        file.write_bytes(b"these are no tables of ours\n" * 400)
    away = staff.get(f"{LIST}3/diff")

    assert (dropped.status_code, unknown.status_code) == (422, 422)
    assert "generation 2 was dropped" in dropped.json()["detail"]
    assert (away.status_code, away.json()["detail"]) == (
        503,
        "The view does not answer now. Try again.",
    )


def test_a_page_of_the_diff_ends_after_a_while(
    pipeline: LocalPipeline, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(staff)
    work(pipeline)
    monkeypatch.setattr(generation_diff, "ENOUGH_S", -1.0)

    page = staff.get(f"{LIST}2/diff").json()

    assert page["data"] == []
    assert page["next_cursor"] is not None


def test_a_move_is_confirmed_and_its_effect_said(pipeline: LocalPipeline, staff: Client) -> None:
    begin(staff)
    work(pipeline)

    page = text_of(staff.get(f"{LIST}2/swap/"))

    assert "every query and chart reads this generation" in page
    assert "Back, change nothing" in page
    assert rebuilds.served().row.number == 1


def test_what_the_state_does_not_allow_is_a_message(pipeline: LocalPipeline, staff: Client) -> None:
    begin(staff)

    asked = staff.get(f"{LIST}2/swap/", follow=True)
    done = move(staff, 2, "swap")
    again = begin(staff)

    assert "Generation 2 takes no swap now." in text_of(asked)
    assert "Nothing was changed:" in text_of(done)
    assert again.status_code == 422
    assert "Nothing was begun: a generation of the view is being built" in text_of(again)
    assert rebuilds.served().row.number == 1


def test_a_form_sent_twice_begins_one(pipeline: LocalPipeline, staff: Client) -> None:
    key = str(uuid4())

    answers = [begin(staff, key=key) for _ in range(2)]

    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert Replay.objects.count() == 1


@pytest.mark.parametrize(
    "changes", [{"reason": ""}, {"reason": "x" * 1001}, {"max_eps": "0"}, {"key": "x"}]
)
def test_what_cannot_be_begun_is_said_beside_its_field(
    staff: Client, changes: dict[str, str]
) -> None:
    answer = begin(staff, **changes)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == list(changes)
    assert not Replay.objects.exists()


def test_a_viewer_sees_no_button_and_is_refused(pipeline: LocalPipeline, viewer: Client) -> None:
    anna = client_with("start_replay", name="anna")
    begin(anna)
    work(pipeline)

    page = viewer.get(LIST)

    assert "Generation 2" in text_of(page)
    assert REBUILD not in page.content.decode()
    assert (buttons(viewer, 2), buttons(anna, 2)) == ([], [])
    assert viewer.get(f"{LIST}2/diff").status_code == 200
    assert viewer.get(REBUILD).status_code == begin(viewer).status_code == 403
    for client in (viewer, anna):
        for name in MOVES:
            assert client.get(f"{LIST}2/{name}/").status_code == 403
            assert move(client, 2, name).status_code == 403
    assert rebuilds.get(2).row.state == "ready"


def test_without_a_permission_nothing_is_told(pipeline: LocalPipeline) -> None:
    nobody = client_with(name="nobody")

    for address in (LIST, f"{LIST}1/", f"{LIST}1/diff", REBUILD):
        assert nobody.get(address).status_code == 403
    assert Client().get(LIST).headers["Location"].startswith("/admin/login/")
    assert Client().get(f"{LIST}1/diff").status_code == 403


def test_a_generation_that_is_none_is_not_found(staff: Client) -> None:
    assert staff.get(f"{LIST}9/").status_code == 404
    assert staff.post(f"{LIST}9/swap/").status_code == 404
    assert staff.post(f"{LIST}1/erase/").status_code == 404

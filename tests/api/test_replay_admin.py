"""The admin pages of replays: the list, the page of one as it moves, and who may do what."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from access.models import Project
from replay import admin_detail, rebuilds, services
from replay.domain import LEGAL, Move, State, Throttle
from replay.models import Replay
from tests.local_pipeline import LocalPipeline, local_pipeline
from tests.replay_builders import ANNA, FAST, fill, make_replayer, run_to_the_end, started
from tests.replay_pages import (
    ALL,
    CONFIRM,
    LIST,
    NEW,
    ask,
    client_with,
    filled,
    move,
    progress_of,
    ready,
    text_of,
)
from warehouse.errors import StoreUnavailable


@pytest.fixture
def pipeline(tmp_path: Path, db: None) -> Iterator[LocalPipeline]:
    Project.objects.create(name="demo")
    with local_pipeline(tmp_path) as running:
        yield running


@pytest.fixture
def staff(pipeline: LocalPipeline) -> Client:
    """Signed in, allowed everything with replays."""
    return client_with("request_replay", "start_replay", "control_replay", name="anna")


@pytest.fixture
def viewer(pipeline: LocalPipeline) -> Client:
    """Signed in, allowed to look."""
    return client_with("view_replay", name="viewer")


# -- detail --


def test_a_replay_is_followed_to_its_end(pipeline: LocalPipeline, staff: Client) -> None:
    fill(pipeline, 30)
    row = started(pipeline)
    before = progress_of(staff, row)

    run_to_the_end(pipeline)
    after = progress_of(staff, row)
    page = text_of(staff.get(f"{LIST}{row.id}/change/"))

    assert (before["state"], before["final"], before["bars"]["emitted"]) == (
        "running",
        False,
        [0, 30],
    )
    assert before["moves"] == ["pause", "cancel", "rate"]
    assert (after["state"], after["final"], after["moves"]) == ("completed", True, [])
    assert after["bars"] == {"emitted": [30, 30], "projected": [30, 30]}
    assert after["scanned_ms"] > row.to_ms
    assert "30 of 30 (100%)" in page
    assert [line[3] for line in after["log"]] == ["create", "start", "work", "complete"]


def test_a_rebuild_is_shown_as_one_of_all_projects_and_times(
    pipeline: LocalPipeline, staff: Client
) -> None:
    fill(pipeline, 30)
    row = rebuilds.begin("another mapping", FAST, ANNA)
    pipeline.project()
    make_replayer(pipeline).run(once=True)

    page = text_of(staff.get(f"{LIST}{row.id}/change/"))
    bars = text_of(staff.get(f"{LIST}{row.id}/hours/"))
    listed = text_of(staff.get(LIST))
    during = progress_of(staff, row)
    move(staff, row, Move.CANCEL)
    after = progress_of(staff, row)["facts"]["meaning"]

    assert "Rebuild of the view: generation 2" in page
    assert "all, of all times" in page
    assert "30 of 30 (100%)" in page
    assert "2026-11-01 07:00" in bars
    assert "all: generation 2" in listed
    assert "all times" in listed
    assert (during["state"], during["moves"]) == ("draining", ["cancel", "rate"])
    assert services.get(row.id).state == "cancelled"
    assert "a generation that was being built is given up" in after


def test_a_rebuild_that_differs_says_that_a_retry_begins_anew(
    pipeline: LocalPipeline, staff: Client
) -> None:
    row = rebuilds.begin("another mapping", FAST, ANNA)
    failed = Replay.objects.filter(pk=row.pk)

    failed.update(state="failed", error_code="internal_error", error_detail="broke")
    assert "goes on from where it stood" in progress_of(staff, row)["facts"]["meaning"]
    failed.update(error_code="generation_differs")
    assert "a retry emits all of it anew" in progress_of(staff, row)["facts"]["meaning"]


def test_moves_by_post_are_in_the_log_with_their_actor(
    pipeline: LocalPipeline, staff: Client
) -> None:
    fill(pipeline, 30)
    row = ready(pipeline)

    for name, state in [
        (Move.START, "running"),
        (Move.PAUSE, "paused"),
        (Move.RESUME, "running"),
        (Move.CANCEL, "cancelled"),
    ]:
        assert move(staff, row, name).status_code == 200
        assert services.get(row.id).state == state

    said = [(line[1], line[2], line[3]) for line in progress_of(staff, row)["log"][1:]]
    assert said == [("anna", "admin", name) for name in ("start", "pause", "resume", "cancel")]


def test_a_failed_one_is_retried_and_a_draft_is_counted(
    pipeline: LocalPipeline, staff: Client
) -> None:
    row = ready(pipeline)
    Replay.objects.filter(pk=row.pk).update(state="failed", error_code="x", error_detail="broke")
    assert progress_of(staff, row)["facts"]["error"] == "x: broke"

    move(staff, row, Move.RETRY)
    assert services.get(row.id).state == "running"
    Replay.objects.filter(pk=row.pk).update(state="draft", estimated=None)
    move(staff, row, Move.ESTIMATE)

    assert services.get(row.id).state == "estimating"
    assert progress_of(staff, row)["facts"]["estimated"] == "not counted yet"


def test_what_the_state_does_not_allow_is_a_message(pipeline: LocalPipeline, staff: Client) -> None:
    row = ready(pipeline)

    response = move(staff, row, Move.RESUME)

    assert "Nothing was changed: a replay that is ready takes no resume." in text_of(response)
    assert services.get(row.id).state == "ready"


def test_the_rate_is_changed_or_its_refusal_said(pipeline: LocalPipeline, staff: Client) -> None:
    row = started(pipeline, filled(pipeline))

    move(staff, row, Move.RATE, max_eps="77", auto="on")
    changed = services.get(row.id)
    refused = move(staff, row, Move.RATE, max_eps="-1")

    assert (changed.max_eps, changed.auto) == (77, True)
    assert "The rate was not changed: Ensure this value" in text_of(refused)
    assert services.get(row.id).max_eps == 77


def test_a_lost_worker_and_a_throttle_are_in_plain_words(
    pipeline: LocalPipeline, staff: Client
) -> None:
    row = started(pipeline, filled(pipeline))
    Replay.objects.filter(pk=row.pk).update(started_at_ms=1)
    waiting, queued = progress_of(staff, row), text_of(staff.get(LIST))
    Replay.objects.filter(pk=row.pk).update(worker="gone", lease_until_ms=1)
    lost, listed = progress_of(staff, row), text_of(staff.get(LIST))

    Replay.objects.filter(pk=row.pk).update(
        lease_until_ms=services.CLOCK.now_ms() + 60_000,
        throttled_by=Throttle.LIVE_LAG.value,
        eps=12.4,
    )
    alive = progress_of(staff, row)

    assert "running, waits for a replayer" in queued
    assert not waiting["lost"]
    assert waiting["facts"]["worker"].startswith(
        "It waits for a replayer: start one with manage.py"
    )
    assert "stalled, will resume" in listed
    assert lost["lost"]
    assert lost["facts"]["worker"].startswith("Stalled, will resume")
    Replay.objects.filter(pk=row.pk).update(state="paused")
    paused = progress_of(staff, row)

    assert paused["facts"]["throttled"] == ""
    Replay.objects.filter(pk=row.pk).update(state="draining")
    assert progress_of(staff, row)["facts"]["throttled"] == "Speed: live events come first."
    Replay.objects.filter(pk=row.pk).update(throttled_by=Throttle.PROJECTOR.value)
    assert progress_of(staff, row)["facts"]["throttled"] == (
        "Speed: waits for a projector: none runs."
    )
    assert not alive["lost"]
    assert alive["facts"]["worker"] == "A replayer works on it."
    assert alive["facts"]["throttled"] == "Speed: slower, since live events wait."
    assert alive["facts"]["eps"] == "12 a second"
    assert alive["facts"]["eta"].endswith(" UTC")


def test_hours_are_a_table(pipeline: LocalPipeline, staff: Client) -> None:
    row = started(pipeline, filled(pipeline))

    response = staff.get(f"{LIST}{row.id}/hours/")

    assert response.content.decode().count("<tr data-start=") == 5
    assert "All 30" in text_of(response)


@pytest.mark.parametrize("reason", ["away", "long"])
def test_hours_that_cannot_be_had_are_said(
    pipeline: LocalPipeline, staff: Client, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    row = started(pipeline, filled(pipeline))

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("down")

    if reason == "away":
        monkeypatch.setattr(admin_detail, "count_hours", away)
    else:
        monkeypatch.setattr(admin_detail, "COUNT_S", -1.0)

    text = text_of(staff.get(f"{LIST}{row.id}/hours/"))

    assert ("does not answer" if reason == "away" else "too many hours") in text


def test_markup_in_a_reason_and_in_names_stays_text(pipeline: LocalPipeline, staff: Client) -> None:
    fill(pipeline, 30)
    evil = "<script>alert(1)</script>"
    ask(staff, reason=evil, events=["order", evil])
    row = Replay.objects.get()

    for address in (f"{LIST}{row.id}/change/", LIST, f"{LIST}{row.id}/hours/"):
        assert evil not in staff.get(address).content.decode()
    assert evil not in staff.get(NEW, ALL | {"events": [evil]}).content.decode()


def test_an_unknown_replay_is_not_found(staff: Client) -> None:
    for address in ("nothing/change/", "nothing/progress/", "nothing/hours/"):
        assert staff.get(f"{LIST}{address}").status_code == 404
    assert staff.post(f"{LIST}nothing/cancel/").status_code == 404


# -- list --


def test_what_is_not_over_is_on_top(pipeline: LocalPipeline, staff: Client) -> None:
    old = ready(pipeline)
    over = [services.cancel(ready(pipeline).id, ANNA) for _ in range(2)]

    rows = staff.get(LIST).context["cl"].result_list

    assert [row.id for row in rows] == [old.id, over[1].id, over[0].id]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("state__exact=ready", 1),
        ("state__exact=failed", 0),
        ("requested_by=anna", 1),
        ("requested_by=bert", 0),
        ("since=1", 1),
        ("since=9", 1),
        ("q=a+test", 1),
        ("q=nothing", 0),
    ],
)
def test_the_list_is_narrowed(
    pipeline: LocalPipeline, staff: Client, query: str, count: int
) -> None:
    ready(pipeline)

    assert staff.get(f"{LIST}?{query}").context["cl"].result_count == count


# -- permissions --


def test_a_viewer_sees_no_button_and_every_post_is_refused(
    pipeline: LocalPipeline, viewer: Client
) -> None:
    row = ready(pipeline)
    before = list(Replay.objects.values())

    page = viewer.get(f"{LIST}{row.id}/change/")
    body = page.content.decode()
    posts = [NEW, CONFIRM, f"{LIST}{row.id}/change/", f"{LIST}{row.id}/delete/"]
    posts += [f"{LIST}{row.id}/{name.value}/" for name in Move]

    assert page.status_code == 200
    assert "data-move" not in body
    assert 'class="weir-button' not in body
    assert progress_of(viewer, row)["moves"] == []
    assert {viewer.post(each, ALL).status_code for each in posts} == {403}
    assert {viewer.get(each).status_code for each in (NEW, CONFIRM)} == {403}
    assert NEW not in viewer.get(LIST).content.decode()
    assert list(Replay.objects.values()) == before


@pytest.mark.parametrize(
    ("permission", "moves"),
    [
        ("request_replay", {Move.ESTIMATE}),
        ("start_replay", {Move.START}),
        ("control_replay", set(Move) - {Move.ESTIMATE, Move.START}),
    ],
)
def test_each_permission_opens_its_moves_alone(
    pipeline: LocalPipeline, permission: str, moves: set[Move]
) -> None:
    client = client_with(permission)
    row = ready(pipeline)

    opened = {each for each in Move if move(client, row, each).status_code != 403}
    may_ask = client.get(NEW).status_code == 200

    assert opened == moves
    assert may_ask is (permission == "request_replay")


def test_who_may_only_ask_cannot_start(pipeline: LocalPipeline) -> None:
    client = client_with("request_replay")
    fill(pipeline, 30)

    page = client.get(CONFIRM, ALL)
    refused = ask(client, start="yes")
    count = Replay.objects.count()
    made = ask(client)

    assert 'name="start"' not in page.content.decode()
    assert (refused.status_code, count) == (403, 0)
    assert (made.status_code, Replay.objects.get().state) == (302, "ready")


def test_staff_without_a_permission_and_strangers_see_nothing(pipeline: LocalPipeline) -> None:
    row = ready(pipeline)
    clerk = client_with("view_project")
    pages = [LIST, f"{LIST}{row.id}/change/", f"{LIST}{row.id}/progress/", f"{LIST}{row.id}/hours/"]

    assert {clerk.get(each).status_code for each in pages} == {403}
    assert [Client().get(each).status_code for each in pages] == [302, 302, 403, 403]
    assert "ended: sign in again" in Client().get(pages[2]).json()["detail"]
    assert LIST not in clerk.get("/admin/").content.decode()


def test_a_post_without_its_csrf_token_is_refused(pipeline: LocalPipeline) -> None:
    client = client_with("request_replay", "control_replay", enforce_csrf_checks=True)
    row = ready(pipeline)

    assert move(client, row, Move.CANCEL).status_code == 403
    assert ask(client).status_code == 403
    assert services.get(row.id).state == "ready"
    assert Replay.objects.count() == 1


def test_a_move_is_by_post_alone(pipeline: LocalPipeline, staff: Client) -> None:
    row = ready(pipeline)

    assert staff.get(f"{LIST}{row.id}/cancel/").status_code == 405
    assert staff.post(NEW, ALL).status_code == 405
    assert staff.post(f"{LIST}{row.id}/change/").status_code == 403


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_page(pipeline: LocalPipeline, staff: Client, state: State) -> None:
    row = ready(pipeline)
    Replay.objects.filter(pk=row.pk).update(state=state.value)

    page = staff.get(f"{LIST}{row.id}/change/")
    now = progress_of(staff, row)

    assert page.status_code == 200
    assert now["facts"]["state"] == state.value.replace("_", " ")
    assert now["moves"] == [each.value for each in Move if state in LEGAL[each]]

"""The admin page Reconcile: who sees what, and what a POST replays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from access.models import Project
from operations.reconcile import paging
from replay import orders, services
from replay.domain import Span
from replay.models import Replay
from replay.rows import source_of
from tests.builders import NOON_MS
from tests.damage import EmbeddedDamage
from tests.local_pipeline import LocalPipeline, local_pipeline
from tests.replay_builders import HOUR_MS, fill, run_to_the_end
from tests.replay_pages import RANGE, client_with, text_of
from timeseries.backends import SERIES_STORE
from warehouse.errors import StoreUnavailable

PAGE, HOURS, REPLAY = "/admin/reconcile/", "/admin/reconcile/hours", "/admin/reconcile/replay"
ALL = {"project": "demo"} | RANGE
FIVE_HOURS: dict[str, Any] = {"project": "demo", "from_ms": NOON_MS - 5 * HOUR_MS, "to_ms": NOON_MS}


@pytest.fixture
def pipeline(tmp_path: Path, db: None) -> Iterator[LocalPipeline]:
    Project.objects.create(name="demo")
    with local_pipeline(tmp_path) as running:
        yield running


@pytest.fixture
def staff(pipeline: LocalPipeline) -> Client:
    """Signed in, may ask for replays and start them."""
    return client_with("request_replay", "start_replay", name="anna")


@pytest.fixture
def viewer(pipeline: LocalPipeline) -> Client:
    """Signed in, allowed to look."""
    return client_with("view_replay", name="viewer")


def send(client: Client, gap: object, **changes: str) -> Any:  # Any: Django's test response
    sent = ALL | {"gap": json.dumps(gap), "reason": "a gap", "key": str(uuid4())} | changes
    return client.post(REPLAY, sent)


def test_what_the_page_finds_is_what_it_replays(
    pipeline: LocalPipeline, staff: Client, tmp_path: Path
) -> None:
    events = fill(pipeline, 30)
    for lost in (events[3], events[25]):
        EmbeddedDamage(tmp_path, "demo").delete(lost.key)

    page = staff.get(PAGE, ALL)
    found = staff.get(HOURS, FIVE_HOURS).json()
    answer = send(staff, found["gap"])
    run_to_the_end(pipeline)
    row = Replay.objects.get()

    assert (page.context["span"], page.context["project"]) == (
        Span(NOON_MS - 5 * HOUR_MS, NOON_MS),
        "demo",
    )
    assert "Replay exactly the gap" in text_of(page)
    assert [hour["state"] for hour in found["data"]] == [
        *("different", "same", "same", "same", "different")
    ]
    assert (found["next_ms"], found["counts"]["missing"], len(found["gap"])) == (None, 2, 2)
    assert answer.headers["Location"] == f"/admin/replay/replay/{row.id}/change/"
    assert (row.state, row.emitted, row.reason, row.requested_by) == (
        *("completed", 2, "a gap", "anna"),
    )
    assert staff.get(HOURS, FIVE_HOURS).json()["state"] == "same"


def test_hours_come_in_pages(
    pipeline: LocalPipeline, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "ENOUGH_S", -1.0)
    fill(pipeline, 30)

    asked, starts = FIVE_HOURS, []
    while asked["from_ms"] is not None:
        page = staff.get(HOURS, asked).json()
        starts += [hour["hour"][11:13] for hour in page["data"]]
        asked = asked | {"from_ms": page["next_ms"]}

    assert starts == ["07", "08", "09", "10", "11"]


def test_a_range_by_name_stays_what_it_was(staff: Client) -> None:
    form = staff.get(PAGE, {"project": "demo", "range": "yesterday"}).context["form"]

    assert form["range"].value() == "custom"
    assert form["from_at"].value().endswith("T00:00:00")


def test_a_viewer_compares_and_sees_no_button(pipeline: LocalPipeline, viewer: Client) -> None:
    fill(pipeline, 30)

    page = viewer.get(PAGE, ALL)

    assert page.status_code == 200
    assert 'id="repair"' not in page.content.decode()
    assert viewer.get(HOURS, FIVE_HOURS).json()["state"] == "same"
    assert send(viewer, [[NOON_MS - 2, NOON_MS - 1]]).status_code == 403
    assert not Replay.objects.exists()


@pytest.mark.parametrize("address", [PAGE, REPLAY])
def test_whoever_is_not_signed_in_is_sent_to_sign_in(db: None, address: str) -> None:
    assert Client().get(address).headers["Location"].startswith("/admin/login/")


def test_without_a_permission_nothing_is_told(pipeline: LocalPipeline) -> None:
    nobody = client_with(name="nobody")

    assert nobody.get(PAGE).status_code == 403
    assert nobody.get(HOURS, FIVE_HOURS).status_code == 403
    assert nobody.get(REPLAY).status_code == 403
    assert Client().get(HOURS, FIVE_HOURS).status_code == 403


def test_whoever_may_only_ask_leaves_the_start_to_others(pipeline: LocalPipeline) -> None:
    clerk = client_with("request_replay")
    fill(pipeline, 30)

    page = clerk.get(PAGE, ALL)
    send(clerk, [[NOON_MS - HOUR_MS, NOON_MS]])

    assert "Somebody who may start replays starts it." in text_of(page)
    assert Replay.objects.get().state == "ready"


def test_a_form_sent_twice_makes_one_replay(pipeline: LocalPipeline, staff: Client) -> None:
    fill(pipeline, 30)
    key, gap = str(uuid4()), [[NOON_MS - HOUR_MS, NOON_MS]]

    answers = [send(staff, gap, key=key) for _ in range(2)]

    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert Replay.objects.count() == 1
    assert "was sent before" in text_of(send(staff, gap, key=key, reason="another"))


def test_spans_in_any_order_are_put_in_theirs(pipeline: LocalPipeline, staff: Client) -> None:
    fill(pipeline, 30)

    send(staff, [[NOON_MS - 10, NOON_MS], [NOON_MS - 90, NOON_MS - 80], [NOON_MS - 20, NOON_MS]])

    spans = source_of(Replay.objects.get()).spans
    assert spans == (Span(NOON_MS - 90, NOON_MS - 80), Span(NOON_MS - 20, NOON_MS))


def test_spans_ahead_wait_and_that_is_said(staff: Client) -> None:
    ahead_ms = services.CLOCK.now_ms() + HOUR_MS

    answer = send(staff, [[ahead_ms, ahead_ms + 1]])

    assert "1 spans of time lie ahead" in text_of(staff.get(answer.headers["Location"]))
    assert not Replay.objects.exists()


@pytest.mark.parametrize(
    "gap",
    [
        *("", "x", [], {}, [1], [[1]], [[1, 2, 3]], [[2, 1]], [[1, 1]], [[-1, 2]], [[1, 2**60]]),
        *([["1", "2"]], [[1.5, 2]], None),
    ],
)
def test_a_gap_that_is_none_is_refused(staff: Client, gap: object) -> None:
    answer = send(staff, gap)

    assert answer.status_code == 422
    assert "What differs is not known: compare first." in text_of(answer)
    assert not Replay.objects.exists()


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_reason_is_required(staff: Client, reason: str) -> None:
    answer = send(staff, [[1, 2]], reason=reason)

    assert answer.status_code == 422
    assert answer.context["asked"].errors["reason"]


@pytest.mark.parametrize(
    "changes",
    [{"project": "nobody"}, {"range": "x"}, {"to_at": "2999-01-01"}, {"to_at": ALL["from_at"]}],
)
def test_a_range_that_is_none_is_said_beside_its_field(
    staff: Client, changes: dict[str, str]
) -> None:
    for answer in (staff.get(PAGE, ALL | changes), send(staff, [[1, 2]], **changes)):
        assert answer.status_code == 422
        assert answer.context["form"].errors
        assert "span" not in answer.context


@pytest.mark.parametrize(
    "changes",
    [
        *({"project": "nobody"}, {"project": "a\0"}, {"from_ms": "x"}, {"from_ms": NOON_MS}),
        *({"to_ms": 2**60}, {"from_ms": -1}, {"from_ms": ""}),
    ],
)
def test_hours_of_no_range_are_refused(staff: Client, changes: dict[str, Any]) -> None:
    answer = staff.get(HOURS, FIVE_HOURS | changes)

    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "There is no such project or range.",
    )


def test_an_hour_that_takes_too_long_is_left_to_the_command(
    pipeline: LocalPipeline, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "LIMIT_S", -1.0)
    fill(pipeline, 30)

    answer = staff.get(HOURS, FIVE_HOURS)

    assert answer.status_code == 422
    assert "manage.py reconcile compares it" in answer.json()["detail"]


def test_engines_that_are_away_are_said(
    pipeline: LocalPipeline, staff: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the warehouse is away")

    fill(pipeline, 30)
    with monkeypatch.context() as patched:
        patched.setattr(orders, "create", away)
        refused = send(staff, [[NOON_MS - 2, NOON_MS - 1]])
    SERIES_STORE.get().close()
    SERIES_STORE.forget()
    for file in (tmp_path / "timeseries").iterdir():
        file.write_bytes(b"these are no tables of ours\n" * 400)
    answer = staff.get(HOURS, FIVE_HOURS)

    assert "Nothing was replayed: the warehouse is away" in text_of(refused)
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("The view does not answer: try again in")

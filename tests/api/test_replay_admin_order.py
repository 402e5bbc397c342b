"""The admin pages that make a replay: New, its estimate, Confirm."""

import re
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from access.models import Project
from replay import admin_forms, admin_ranges, previews, services
from replay.estimating import Estimate
from replay.models import Replay
from tests.local_pipeline import LocalPipeline, local_pipeline
from tests.replay_builders import fill, started, stop_counting_after
from tests.replay_pages import ALL, CONFIRM, LIST, NEW, ask, client_with, text_of
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


def test_an_estimate_shows_figures_bars_and_events_to_tick(
    pipeline: LocalPipeline, staff: Client
) -> None:
    fill(pipeline, 300)

    response = staff.get(NEW, ALL)
    text = text_of(response)

    assert response.status_code == 200
    assert "Events 300 First, UTC 2026-11-01 07:00:00" in text
    assert "signup (200)" in text
    assert "order (100)" in text
    assert response.content.decode().count("<rect") == 5
    assert "2026-11-01 07:00 60" in text
    assert not Replay.objects.exists()


def test_what_is_ticked_is_counted_and_stays_ticked(pipeline: LocalPipeline, staff: Client) -> None:
    fill(pipeline, 300)

    response = staff.get(NEW, ALL | {"events": ["order"]})

    assert "Events 100 First" in text_of(response)
    assert re.search(r'value="order"[^>]* checked', response.content.decode())
    assert "signup (200)" in text_of(response)


def test_a_range_by_name_becomes_two_times(pipeline: LocalPipeline, staff: Client) -> None:
    page = staff.get(NEW, ALL | {"range": "yesterday", "from_at": "", "to_at": ""})

    form = page.context["form"]
    assert form["range"].value() == "custom"
    assert form["from_at"].value().endswith("T00:00:00")
    assert form["to_at"].value().endswith("T00:00:00")
    assert form["from_at"].value() < form["to_at"].value()


@pytest.mark.parametrize("name", [name for name, _ in admin_ranges.RANGES if name != "custom"])
def test_ranges_by_name_end_by_now_and_have_a_length(name: str) -> None:
    now_ms = 1_793_700_000_123
    start, end = admin_ranges.preset(name, now_ms=now_ms)

    assert start < end
    assert end.timestamp() * 1000 <= now_ms
    assert {start.tzinfo, end.tzinfo} == {UTC}


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"project": "nobody"}, "project", "not one of the available choices"),
        ({"range": "always"}, "range", "not one of the available choices"),
        ({"from_at": ""}, "from_at", "A time is needed here"),
        ({"from_at": "yesterdayish"}, "from_at", "Enter a valid date/time"),
        ({"from_at": "0001-01-01T00:00+14:00"}, "from_at", "Enter a valid date/time"),
        ({"to_at": "9999-12-31T23:59-14:00"}, "to_at", "Enter a valid date/time"),
        ({"to_at": "2026-11-01T06:00"}, "to_at", "before the start"),
        ({"to_at": "2999-01-01T00:00"}, "to_at", "in the future"),
        ({"from_at": "1969-01-01T00:00"}, "from_at", "before 1970"),
        ({"max_eps": "0"}, "max_eps", "greater than or equal to 1"),
        ({"max_eps": "1000001"}, "max_eps", "less than or equal to 1000000"),
        ({"events": ["a\0b"]}, "events", "not one of the available choices"),
        ({"events": ["x" * 201]}, "events", "not one of the available choices"),
        ({"events": [f"e{n}" for n in range(101)]}, "events", "100 at most"),
    ],
)
@pytest.mark.parametrize("address", [NEW, CONFIRM])
def test_what_cannot_be_run_is_said_beside_its_field(
    staff: Client, address: str, changes: dict[str, Any], field: str, sentence: str
) -> None:
    response = staff.get(address, ALL | changes)

    assert response.status_code == 422
    assert sentence in " ".join(response.context["form"].errors[field])
    assert sentence in text_of(response)


@pytest.mark.parametrize("address", [NEW, CONFIRM])
def test_a_warehouse_that_is_away_is_said(
    staff: Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(previews, "preview", away)

    response = staff.get(address, ALL)

    assert response.status_code == 200
    assert "The warehouse does not answer now" in text_of(response)
    assert response.context["form"]["max_eps"].value() == "500"


def test_a_confirmed_replay_is_made_and_waits(pipeline: LocalPipeline, staff: Client) -> None:
    fill(pipeline, 30)
    confirm = staff.get(CONFIRM, ALL | {"events": ["order"]})

    response = ask(staff, events=["order"])
    row = Replay.objects.get()

    assert "Events 10 First" in text_of(confirm)
    assert response.headers["Location"] == f"{LIST}{row.id}/change/"
    assert (row.state, row.estimated, row.requested_by) == ("ready", 10, "anna")
    assert (row.events, row.max_eps, row.auto, row.reason) == (
        ["order"],
        500,
        True,
        "a gap in the view",
    )
    assert [(entry.actor, entry.via) for entry in services.log_of(row.id)] == [("anna", "admin")]


def test_it_may_be_started_at_once(pipeline: LocalPipeline, staff: Client) -> None:
    fill(pipeline, 30)

    ask(staff, start="yes")

    assert Replay.objects.get().state == "running"


def test_of_no_events_it_is_over_at_once(staff: Client) -> None:
    response = ask(staff, start="yes")

    assert response.status_code == 302
    assert Replay.objects.get().state == "completed"


def test_a_form_sent_twice_makes_one_replay(pipeline: LocalPipeline, staff: Client) -> None:
    fill(pipeline, 30)
    key = str(uuid4())

    answers = [ask(staff, key=key, start="yes") for _ in range(2)]

    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert Replay.objects.count() == 1
    assert "was sent before" in text_of(ask(staff, key=key, reason="another"))


@pytest.mark.parametrize("reason", [None, "", "   ", "x" * 1001, "zero \0"])
def test_a_reason_is_required(staff: Client, reason: str | None) -> None:
    response = ask(staff, reason=reason)

    assert response.status_code == 422
    assert response.context["asked"].errors["reason"]
    assert not Replay.objects.exists()


@pytest.mark.parametrize(
    ("typed", "is_made"), [("", False), ("29", False), ("30", True), (" 3,0 ", True)]
)
def test_of_many_events_their_count_is_typed(
    pipeline: LocalPipeline,
    staff: Client,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    is_made: bool,
) -> None:
    monkeypatch.setattr(admin_forms, "TYPED_ABOVE", 29)
    fill(pipeline, 30)

    response = ask(staff, typed=typed)

    assert Replay.objects.exists() is is_made
    assert is_made or "Type 30: that many are replayed." in text_of(response)


def test_of_exactly_a_million_nothing_is_typed() -> None:
    def typed_of(count: int) -> admin_forms.Typed | None:
        found = Estimate(count, (), None, None, 0)
        return admin_forms.typed_for(previews.Preview(found, True, None, (), ""), "demo")

    assert typed_of(1_000_000) is None
    assert typed_of(1_000_001) is not None


def test_of_a_range_that_takes_long_to_count_what_is_known_is_shown(
    pipeline: LocalPipeline, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, 30)
    stop_counting_after(1, monkeypatch)

    estimate = text_of(staff.get(NEW, ALL))
    confirm = text_of(staff.get(CONFIRM, ALL))
    refused = ask(staff, typed="30")
    made = ask(staff, typed="demo")

    assert "Events at least 6 First, UTC – Last, UTC – Size not known" in estimate
    assert "Counting took longer than 5 s: 6 events of demo were counted by then" in estimate
    assert "Type the project's name, since it is not known how many events" in confirm
    assert "Type demo: all of its events in this range are replayed." in text_of(refused)
    assert made.status_code == 302
    assert Replay.objects.get().state == "draft"


def test_overlapping_replays_are_named(pipeline: LocalPipeline, staff: Client) -> None:
    fill(pipeline, 30)
    row = started(pipeline)

    assert f"{LIST}{row.id}/change/" in staff.get(CONFIRM, ALL).content.decode()

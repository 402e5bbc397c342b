"""The admin's page Reconcile in real Chromium: compared, and exactly the gap replayed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from feed.event import HOUR_MS, key_text
from feed.sqlite import open_file
from tests.browser.conftest import Look, post_from
from tests.damage import EmbeddedDamage
from tests.dev_stack import Dev

pytestmark = pytest.mark.browser

PAGE = "/admin/reconcile/"


@pytest.fixture
def lost(dev: Dev) -> list[bytes]:
    """Keys of documents of two hours, deleted from the view by hand."""
    connection = open_file(dev.data_dir / "timeseries" / "generation-1.sqlite")
    rows = connection.execute("SELECT key FROM docs ORDER BY key").fetchall()
    connection.close()
    keys = [bytes(key) for (key,) in rows]  # type: ignore[arg-type]  # blobs
    chosen = [keys[len(keys) // 3], keys[len(keys) // 3 + 1], keys[len(keys) // 2]]
    for key in chosen:
        EmbeddedDamage(dev.data_dir, "demo").delete(key)
    return chosen


def compare(page: Page) -> None:
    page.goto(PAGE)
    page.get_by_label("Project").select_option("demo")
    page.get_by_label("Range").select_option("7d")
    page.get_by_role("button", name="Compare").click()


def test_a_gap_is_found_and_replayed(
    page: Page, viewer: Page, lost: list[bytes], look: Look, faults: list[str]
) -> None:
    page.goto("/admin/")
    page.get_by_role("link", name="Reconcile", exact=True).click()
    look(page, "reconcile")
    compare(page)
    expect(page.locator("#state")).to_have_text("different")
    expect(page.locator("#said")).to_contain_text("3 missing, 0 changed, 0 extra")
    for key in lost:
        expect(page.locator("#keys tbody")).to_contain_text(key_text(key))
    assert page.locator("#hours tbody tr").count() > 24
    look(page, "different")
    page.get_by_label("Only hours that are not the same").check()
    expect(page.locator("#hours tbody tr:visible")).to_have_count(2)
    look(page, "differing")
    _is_shown_without_a_button(viewer)

    page.get_by_label("Reason").fill("documents were deleted by hand")
    page.get_by_role("button", name="Replay exactly the gap").click()
    expect(page.locator("#state")).to_have_text("completed")
    expect(page.locator("[data-fact=projected]")).to_contain_text("3 of 3")
    look(page, "replayed")
    compare(page)
    expect(page.locator("#state")).to_have_text("the same")
    expect(page.locator("#repair")).to_be_hidden()
    assert page.locator("#bar").evaluate("bar => bar.value") == 1
    look(page, "same")
    assert faults == []


def _is_shown_without_a_button(viewer: Page) -> None:
    """Whoever may look alone sees what differs, and is refused what the button would do."""
    compare(viewer)
    expect(viewer.locator("#state")).to_have_text("different")
    expect(viewer.locator("#repair")).to_have_count(0)
    gap = {"project": "demo", "gap": f"[[0,{HOUR_MS}]]", "reason": "none"}
    assert post_from(viewer, f"{PAGE}replay", form=dict(gap)) == 403


def test_a_server_that_goes_away_is_said(page: Page) -> None:
    page.route("**/admin/reconcile/hours*", lambda route: route.abort())

    compare(page)

    expect(page.locator("#state")).to_have_text("not compared")
    expect(page.locator("#trouble")).to_have_text("The server does not answer.")


def hour_of(number: int, state: str, keys: int = 0) -> dict[str, Any]:  # Any: JSON
    entry = {"event": "signup", "version": 1, "hash24": 1}
    counts = {"warehouse": 9, "view": 9 - keys, "missing": keys}
    differences = [
        {"key": f"{number}-{index}", "kind": "missing", "warehouse": entry, "view": None}
        for index in range(keys)
    ]
    return {
        "hour": datetime.fromtimestamp(number * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "state": state,
        "counts": counts | {"changed": 0, "extra": 0, "on_the_way": 0},
        "differences": differences,
    }


def answer_with(page: Page, answers: list[tuple[int, dict[str, Any]]]) -> list[str]:  # Any: JSON
    """What the page is told instead of what the server would say; what it asked for."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        status, body = answers[len(asked)]
        asked.append(route.request.url)
        route.fulfill(status=status, json=body)

    page.route("**/admin/reconcile/hours*", answer)
    return asked


def page_of(
    hours: list[dict[str, Any]], *, gap: list[list[int]], next_ms: int | None
) -> dict[str, Any]:  # Any: JSON
    counts = {name: sum(each["counts"][name] for each in hours) for name in hours[0]["counts"]}
    return {"data": hours, "counts": counts, "gap": gap, "next_ms": next_ms, "lag": None}


def test_what_is_much_is_counted_and_not_listed(page: Page) -> None:
    same = [hour_of(number, "same") for number in range(1200)]
    different = [hour_of(1200 + number, "different", 100) for number in range(6)]
    gap = [[10 * start, 10 * start + 1] for start in range(50_001)]
    later_ms = 4_000_000_000_000
    asked = answer_with(page, [(200, page_of([*same, *different], gap=gap, next_ms=later_ms))])

    compare(page)

    expect(page.locator("#state")).to_have_text("different")
    expect(page.locator("#hours tbody tr")).to_have_count(1006)
    expect(page.locator("#more-hours")).to_contain_text("200 more hours that are the same")
    expect(page.locator("#keys tbody tr")).to_have_count(500)
    expect(page.locator("#more-keys")).to_have_text("100 more keys differ.")
    expect(page.locator("#trouble")).to_contain_text("So much differs that it was not compared")
    expect(page.locator("#trouble")).to_contain_text("any further than 2096-10-02 07:06 UTC")
    expect(page.locator("#gap-said")).to_contain_text("600 events are missing or changed")
    assert len(asked) == 1


def test_extra_documents_have_no_button(page: Page) -> None:
    hour = hour_of(1, "different")
    hour["counts"]["extra"] = 3
    answer_with(page, [(200, page_of([hour], gap=[], next_ms=None))])

    compare(page)

    expect(page.locator("#said")).to_contain_text("3 extra. Extra documents are of events that")
    expect(page.locator("#said")).to_contain_text("manage.py replay rebuild --reason WHY")
    expect(page.locator("#said")).to_contain_text("manage.py replay swap N")
    expect(page.locator("#more-keys")).to_have_text("3 more keys differ.")
    expect(page.locator("#repair")).to_be_hidden()


def test_what_was_found_before_the_server_went_away_can_be_replayed(page: Page) -> None:
    found = page_of([hour_of(1, "different", 2)], gap=[[5, 7]], next_ms=1_793_000_000_000)
    asked = answer_with(page, [(200, found), (503, {"detail": "The view does not answer."})])

    compare(page)

    expect(page.locator("#trouble")).to_contain_text("The view does not answer. What lies before")
    expect(page.locator("#trouble")).to_contain_text("2026-10-26 07:33 UTC was compared")
    expect(page.locator("#state")).to_have_text("different")
    expect(page.get_by_role("button", name="Replay exactly the gap")).to_be_visible()
    assert page.locator("#gap").input_value() == "[[5,7]]"
    assert "from_ms=1793000000000" in asked[1]

"""The admin's page Reconcile in real Chromium: compared, and exactly the gap replayed."""

import pytest
from playwright.sync_api import Page, expect

from feed.event import HOUR_MS, key_text
from feed.sqlite import open_file
from tests.browser.conftest import Look
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
    token = next(each for each in viewer.context.cookies() if each.get("name") == "csrftoken")
    answer = viewer.request.post(
        f"{PAGE}replay",
        headers={"X-CSRFToken": str(token.get("value")), "Referer": viewer.url},
        form={"project": "demo", "gap": f"[[0,{HOUR_MS}]]", "reason": "none"},
    )
    assert answer.status == 403


def test_a_server_that_goes_away_is_said(page: Page) -> None:
    page.route("**/admin/reconcile/hours*", lambda route: route.abort())

    compare(page)

    expect(page.locator("#state")).to_have_text("not compared")
    expect(page.locator("#trouble")).to_contain_text("The server does not answer")

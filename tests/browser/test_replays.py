"""The admin's pages of replays in real Chromium: New, Estimate, Confirm, Detail, to the end."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look, post_from

pytestmark = pytest.mark.browser

LIST = "/admin/replay/replay/"


def value_of(page: Page, bar: str) -> float:
    return float(page.locator(f"#bar-{bar}").evaluate("bar => bar.value / bar.max"))


def test_a_replay_from_new_to_completed(
    page: Page, viewer: Page, look: Look, faults: list[str]
) -> None:
    page.goto(LIST)
    page.get_by_role("link", name="Add replay").click()
    look(page, "new")
    estimated = _estimate(page)
    look(page, "estimate")
    page.get_by_role("button", name="Go on to confirm").click()
    _confirm(page, estimated, look)

    _pause(page, look)
    look(page, "paused")
    _is_refused(viewer, page.url)
    page.get_by_label("Events a second, at most").fill("")
    page.get_by_role("button", name="Change").click()
    expect(page.locator("[data-fact=limit]")).to_contain_text("as fast as it goes")
    page.get_by_role("button", name="Resume").click()

    expect(page.locator("#state")).to_have_text("completed")
    assert value_of(page, "emitted") == value_of(page, "projected") == 1
    expect(page.locator("[data-fact=projected]")).to_contain_text(f"{estimated:,} of {estimated:,}")
    expect(page.locator("#log tr td:nth-child(4)")).to_contain_text(
        ["create", "start", "pause", "rate", "resume", "complete"]
    )
    expect(page.locator("#hours tbody tr").first).to_contain_text("emitted")
    expect(page.locator(".weir-actions button:visible")).to_have_count(0)
    look(page, "completed")
    _asks_no_more(page)
    page.goto(LIST)
    expect(page.locator("#result_list")).to_contain_text("completed")
    look(page, "list")
    assert faults == []


def _estimate(page: Page) -> int:
    expect(page.get_by_label("From, UTC")).to_be_hidden()
    page.get_by_label("Project").select_option("demo")
    page.get_by_label("Range").select_option("7d")
    page.get_by_label("Events a second, at most").fill("20")
    page.get_by_role("button", name="Estimate").click()

    expect(page.get_by_label("From, UTC")).to_be_visible()
    expect(page.locator("#estimate rect").nth(100)).to_be_attached()
    page.locator(".weir-names input").first.check()
    name = page.locator(".weir-names label").first.inner_text()
    page.get_by_role("button", name="Estimate").click()
    figure = page.locator("#estimate .weir-facts dd").first.inner_text()
    assert f"({figure})" in name
    return int(figure.replace(",", ""))


def _confirm(page: Page, estimated: int, look: Look) -> None:
    expect(page.locator("#content-main")).to_contain_text(f"{estimated:,}")
    page.get_by_label("Reason").fill("a gap in the view, found by hand")
    look(page, "confirm")
    page.get_by_role("button", name="Ask for it and start it").click()


def _pause(page: Page, look: Look) -> None:
    """It moves by itself; paused, it stands, and says how far it came."""
    expect(page.locator("#state")).to_have_text("running")
    page.wait_for_function("() => document.getElementById('bar-emitted').value > 0")
    expect(page.locator("[data-fact=throttled]")).to_contain_text("as fast as its rate allows")
    look(page, "running")
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")

    expect(page.locator("#state")).to_have_text("paused")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    assert 0 < value_of(page, "emitted") < 1


def _is_refused(viewer: Page, address: str) -> None:
    """Whoever may look alone sees the figures, no button, and is refused what a button would do."""
    viewer.goto(address)
    expect(viewer.locator("#state")).to_have_text("paused")
    expect(viewer.locator("#content-main button, #content-main form")).to_have_count(0)
    assert post_from(viewer, re.sub("change/$", "cancel/", address)) == 403
    assert viewer.goto(f"{LIST}add/").status == 403  # type: ignore[union-attr]
    viewer.goto(LIST)
    expect(viewer.locator("#result_list")).to_contain_text("paused")
    expect(viewer.get_by_role("link", name="Add replay")).to_have_count(0)


def _asks_no_more(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3_000)  # three pauses: nothing may be asked for
    assert asked == []

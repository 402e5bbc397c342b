"""Sign-in and the admin's first page, in real Chromium."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.dev_stack import Dev

pytestmark = pytest.mark.browser


def figure_of(page: Page, stage: str) -> int:
    text = page.locator(f"[data-stage={stage}] p.weir-quiet").first.inner_text()
    return int(text.split()[0].replace(",", ""))


def wait_for_figures(page: Page) -> None:
    page.wait_for_selector("#lag tr")


def test_a_wrong_password_is_refused(anonymous: BrowserContext, dev: Dev) -> None:
    page = anonymous.new_page()
    page.goto("/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "not " + dev.password)
    page.click("[type=submit]")

    expect(page.locator(".errornote")).to_contain_text("correct username and password")
    expect(page.locator("#pipeline")).to_have_count(0)


def test_the_first_page_shows_every_partition_and_moves_by_itself(
    page: Page, faults: list[str]
) -> None:
    wait_for_figures(page)
    expect(page.locator("#chart canvas")).to_be_visible()
    before, updated = figure_of(page, "received"), page.inner_text("#updated")

    page.wait_for_function(
        "before => Number(document.querySelector('[data-stage=received] p.weir-quiet')"
        ".textContent.split(' ')[0].replaceAll(',', '')) > before",
        arg=before,
    )

    assert page.inner_text("#updated") != updated
    assert page.locator("#lag tr").count() == 16
    assert page.locator("#lag tr[data-group=projector]").count() == 4
    assert faults == []


def test_states_are_words_as_well_as_colours(page: Page) -> None:
    wait_for_figures(page)

    words = page.locator("#lag .weir-state").all_inner_texts()

    assert set(words) <= {"ok", "catching up", "falling behind"}
    page.wait_for_function("document.getElementById('state').textContent === 'ok'")


def test_a_hidden_tab_stops_asking(page: Page) -> None:
    wait_for_figures(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.wait_for_load_state("networkidle")
    asked.clear()

    page.wait_for_timeout(6_000)  # two pauses and more: nothing may be asked for
    hidden = len(asked)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: false});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_event("request")

    assert hidden == 0


def test_when_the_session_ends_the_page_says_so(page: Page, context: BrowserContext) -> None:
    wait_for_figures(page)

    context.clear_cookies()

    expect(page.locator("#trouble")).to_have_text("Your session has ended: sign in again.")


@pytest.mark.parametrize("address", ["/admin/", "/admin/explorer/?range=24h&group_by=event"])
def test_on_a_phone_the_page_is_not_wider_than_the_screen(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(address)
    page.wait_for_selector("#chart canvas")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_api_reference_is_drawn_from_our_own_files(
    page: Page, dev: Dev, faults: list[str]
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/docs/")

    expect(page.locator("#api")).to_contain_text("/v1/query/series")

    assert [url for url in asked if not url.startswith((dev.url, "data:", "blob:"))] == []
    assert faults == []

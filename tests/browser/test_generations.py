"""The admin's pages of generations in real Chromium: rebuilt, compared, swapped, gone back from,
dropped."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from feed.event import key_time_ms
from feed.sqlite import open_file
from ingest.timestamps import format_time
from tests.browser.conftest import LIMIT_MS, Look, post_from
from tests.damage import EmbeddedDamage
from tests.dev_stack import Dev

pytestmark = pytest.mark.browser

LIST = "/admin/generations/"
BUILT_LIMIT_MS = 3 * LIMIT_MS


@pytest.fixture
def lost(dev: Dev) -> Iterator[None]:
    """The first document of generation 1 is deleted by hand, and brought back in the end."""
    connection = open_file(dev.data_dir / "timeseries" / "generation-1.sqlite")
    ((key,),) = connection.execute("SELECT key FROM docs ORDER BY key LIMIT 1").fetchall()
    connection.close()
    first = bytes(key)  # type: ignore[arg-type]  # a blob
    EmbeddedDamage(dev.data_dir, "demo").delete(first)
    yield
    from_ms = key_time_ms(first)
    dev.manage(
        *("replay", "create", "--project", "demo", "--reason", "a document was lost"),
        *("--from", format_time(from_ms), "--to", format_time(from_ms + 1), "--start", "--watch"),
    )


def test_a_view_is_rebuilt_and_swapped(
    page: Page, viewer: Page, lost: None, look: Look, faults: list[str]
) -> None:
    page.goto("/admin/replay/replay/")
    page.get_by_role("link", name="Generations", exact=True).click()
    page.get_by_role("link", name="Rebuild", exact=True).click()
    page.get_by_label("Reason").fill("a document was lost")
    look(page, "rebuild")
    page.get_by_role("button", name="Rebuild the view").click()
    expect(page.locator("#state")).to_have_text("completed", timeout=BUILT_LIMIT_MS)
    look(page, "rebuilt")
    page.get_by_role("link", name=re.compile("^Generation ")).click()
    number = page.url.rstrip("/").rpartition("/")[2]
    _differs(page, look)
    _is_shown_without_a_button(viewer, number)

    _confirm(page, "Swap: serve it", look)
    expect(page.locator("#content")).to_contain_text("read it: it is served")
    page.get_by_role("link", name="Generations").click()
    expect(page.locator("#generations")).to_contain_text("a rollback goes to it")
    look(page, "swapped")
    page.get_by_role("link", name=f"Generation {number}", exact=True).click()
    _confirm(page, "Roll back", look)
    expect(page.locator("h1")).to_have_text("Generation 1")
    page.goto(f"{LIST}{number}/")
    _confirm(page, "Drop", look)
    expect(page.locator("#state")).to_have_text("dropped")
    expect(page.locator("#content-main .weir-button")).to_have_count(0)
    look(page, "dropped")
    assert faults == []


def _differs(page: Page, look: Look) -> None:
    """The document that was lost is in the new one."""
    expect(page.locator("#said")).to_contain_text("1 count of an hour and event differs.")
    expect(page.locator("#cells tbody tr")).to_contain_text("1 more")
    expect(page.locator("#content")).to_contain_text("equal: ")
    look(page, "generation")


def _confirm(page: Page, verb: str, look: Look) -> None:
    page.get_by_role("link", name=verb).click()
    look(page, f"confirm-{verb.split()[0].strip(':').lower()}")
    page.get_by_role("button", name=verb).click()
    expect(page.locator(".messagelist .success")).to_be_visible()


def _is_shown_without_a_button(viewer: Page, number: str) -> None:
    """Whoever may look alone sees what differs, and is refused what a button would do."""
    viewer.goto(f"{LIST}{number}/")
    expect(viewer.locator("#said")).to_contain_text("differs")
    expect(viewer.locator("#content-main .weir-button:visible")).to_have_count(0)
    assert post_from(viewer, f"{LIST}{number}/swap/") == 403
    viewer.goto(LIST)
    expect(viewer.locator("#generations")).to_contain_text(f"Generation {number}")
    expect(viewer.get_by_role("link", name="Rebuild", exact=True)).to_have_count(0)

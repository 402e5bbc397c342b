"""A real `manage.py dev` and a real Chromium, once for all browser tests."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    StorageState,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.dev_stack import Dev

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
LIMIT_MS = 60_000
expect.set_options(timeout=LIMIT_MS)
SIZES: dict[str, ViewportSize] = {
    "laptop": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 800},
}
Look = Callable[[Page, str], None]
PASSWORD = "only to look 7"  # noqa: S105  # of a user of a data folder that ends with the tests
MAKE_VIEWER = f"""
from django.contrib.auth.models import Permission, User
user, _ = User.objects.get_or_create(username="viewer", is_staff=True)
user.set_password({PASSWORD!r})
user.save()
user.user_permissions.set(Permission.objects.filter(codename="view_replay"))
"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser; without it the tests are skipped by name, except in CI, where they fail."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        reason = "no Chromium on this machine: the browser tests did not run"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """The whole pipeline with its demonstration traffic."""
    with Dev(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="session")
def signed_in(chromium: Browser, dev: Dev) -> StorageState:
    """The cookies of somebody who has signed in by the form."""
    context = chromium.new_context(base_url=dev.url)
    context.set_default_timeout(LIMIT_MS)
    page = context.new_page()
    page.goto("/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", dev.password)
    page.click("[type=submit]")
    page.wait_for_selector("#pipeline")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def anonymous(chromium: Browser, dev: Dev) -> Iterator[BrowserContext]:
    """A browser without cookies."""
    made = chromium.new_context(base_url=dev.url)
    made.set_default_timeout(LIMIT_MS)
    yield made
    made.close()


@pytest.fixture
def context(chromium: Browser, dev: Dev, signed_in: StorageState) -> Iterator[BrowserContext]:
    """A browser in Berlin, signed in."""
    made = chromium.new_context(
        base_url=dev.url,
        storage_state=signed_in,
        viewport={"width": 1280, "height": 900},
        timezone_id="Europe/Berlin",
        accept_downloads=True,
    )
    made.set_default_timeout(LIMIT_MS)
    yield made
    made.close()


@pytest.fixture
def faults() -> list[str]:
    """What the browser complained about: script errors, refused content, failed requests."""
    return []


@pytest.fixture
def page(context: BrowserContext, faults: list[str]) -> Page:
    """Signed in, at the first page; what the browser complains about is collected."""
    opened = context.new_page()
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    opened.goto("/")
    opened.wait_for_selector("#pipeline")
    return opened


def post_from(page: Page, address: str, form: dict[str, str | float | bool] | None = None) -> int:
    """The status of a POST that the page could have sent, whether or not it has a button for
    it."""
    token = next(each for each in page.context.cookies() if each.get("name") == "csrftoken")
    headers = {"X-CSRFToken": str(token.get("value")), "Referer": page.url}
    return page.request.post(address, headers=headers, form=form).status


@pytest.fixture
def viewer(chromium: Browser, dev: Dev) -> Iterator[Page]:
    """Signed in as somebody who may look at replays alone."""
    dev.manage("shell", "--command", MAKE_VIEWER)
    context = chromium.new_context(base_url=dev.url, viewport=SIZES["laptop"])
    page = context.new_page()
    page.goto("/admin/")
    page.fill("#id_username", "viewer")
    page.fill("#id_password", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_selector("#content-main")
    yield page
    context.close()


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """No page is wider than a laptop's or a phone's screen; leaves a picture of each, and one
    of the dark theme."""

    def look_at(page: Page, name: str) -> None:
        for device, size in SIZES.items():
            page.set_viewport_size(size)
            page.screenshot(path=tmp_path / f"{name}-{device}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
        page.set_viewport_size(SIZES["laptop"])
        page.emulate_media(color_scheme="dark")
        page.wait_for_timeout(300)  # links change their colour slowly
        page.screenshot(path=tmp_path / f"{name}-dark.png", full_page=True)
        page.emulate_media(color_scheme="light")

    return look_at

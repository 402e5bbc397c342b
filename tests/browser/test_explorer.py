"""The explorer in real Chromium: charts a query, moves, says what is wrong."""

from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.dev_stack import Dev

pytestmark = pytest.mark.browser


@pytest.fixture
def event() -> str:
    """A name that nobody else sends."""
    return f"clicked-{uuid4().hex[:8]}"


def send(dev: Dev, *events: dict[str, object]) -> None:
    answer = httpx.post(
        f"{dev.url}/v1/events",
        params={"ack": "projected"},
        headers={"Authorization": f"Bearer {dev.token}"},
        json=list(events),
        timeout=60,
    )
    assert answer.json()["ack"] == "projected"


def test_an_event_that_is_sent_moves_the_chart(
    page: Page, dev: Dev, event: str, faults: list[str]
) -> None:
    page.goto(f"/admin/explorer/?event={event}&range=24h")
    expect(page.locator("#empty")).to_contain_text("curl -sS")

    send(dev, {"event": event})
    expect(page.locator("#meta")).to_contain_text("total 1 ")
    send(dev, {"event": event}, {"event": event})
    expect(page.locator("#meta")).to_contain_text("total 3 ")

    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#chart canvas")).to_be_visible()
    expect(page.locator("#meta")).to_contain_text("complete through")
    assert faults == []


def test_groups_are_charted_and_kept_in_the_address(page: Page, dev: Dev, event: str) -> None:
    send(
        dev,
        {"event": event, "properties": {"plan": "pro", "amount": 30}},
        {"event": event, "properties": {"plan": "free", "amount": 2}},
    )
    page.goto("/admin/explorer/")
    page.fill("[name=event]", event)
    page.select_option("[name=agg]", "sum")
    page.fill("[name=field]", "properties.amount")
    page.fill("[name=group_by]", "properties.plan")
    page.click("button[type=submit].weir-button")

    expect(page.locator("#chart .u-legend")).to_contain_text("pro")
    expect(page.locator("#chart .u-legend")).to_contain_text("free")
    page.reload()

    expect(page.locator("[name=field]")).to_have_value("properties.amount")
    expect(page.locator("#chart .u-legend")).to_contain_text("pro")


def test_the_figures_are_there_as_a_table_and_as_csv(page: Page, dev: Dev, event: str) -> None:
    send(dev, {"event": event}, {"event": event})
    page.goto(f"/admin/explorer/?event={event}&range=24h&interval=1h")
    expect(page.locator("#meta")).to_contain_text("total 2 ")

    page.click("#figures summary")
    expect(page.locator("#table tbody tr").first).to_be_visible()
    cells = page.locator("#table tbody td").all_inner_texts()
    with page.expect_download() as downloading:
        page.click("#csv")

    text = downloading.value.path().read_text()
    assert sum(int(cell) for cell in cells) == 2
    assert len(text.splitlines()) >= 24


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("timezone=Nowhere/Land", "IANA name"),
        ("range=custom&from=yesterdayish", "range.from"),
        ("range=30d&interval=1s", "interval"),
        ("agg=sum&field=nonsense", "field"),
    ],
)
def test_what_is_wrong_is_said_in_words(page: Page, query: str, sentence: str) -> None:
    page.goto(f"/admin/explorer/?{query}")

    expect(page.locator("#trouble")).to_contain_text(sentence)


def test_names_that_look_like_markup_stay_text(
    page: Page, dev: Dev, event: str, faults: list[str]
) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    send(dev, {"event": event, "properties": {"plan": evil}})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: faults.append(dialog.message))

    page.goto(f"/admin/explorer/?event={event}&group_by=properties.plan")

    expect(page.locator("#chart .u-legend")).to_contain_text(evil)
    assert page.locator("#chart img, #chart script").count() == 0
    assert [url for url in asked if url.endswith("/x")] == []
    assert faults == []


def test_suggestions_name_what_was_seen(page: Page, dev: Dev, event: str) -> None:
    send(dev, {"event": event, "properties": {f"made_{event[-8:]}": 1}})

    page.goto("/admin/explorer/")

    expect(page.locator(f"#events option[value='{event}']")).to_be_attached()
    expect(page.locator(f"#fields option[value='properties.made_{event[-8:]}']")).to_be_attached()

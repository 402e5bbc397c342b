"""Origins are kept the way browsers send them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.errors import BadOrigin
from access.origins import parse_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        (" HTTPS://Shop.Example/ ", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("*", "*"),
    ],
)
def test_an_origin_is_brought_into_one_form(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop.example",
        "https://",
        "https://shop.example/path",
        "https://shop.example?x",
        "https://shop.example#x",
        "https://user@shop.example",
        "ftp://shop.example",
        "https://shop.example:port",
        "https://shop.example:99999",
        "https://[::1",
        "https://*.shop.example",
        "https://shöp.example",
        "https://shop example",
        "null",
    ],
)
def test_what_no_browser_sends_is_refused(text: str) -> None:
    with pytest.raises(BadOrigin, match="is not an origin"):
        parse_origin(text)


@settings(max_examples=100)
@given(st.text(max_size=30) | st.text(max_size=20).map(lambda text: "https://" + text))
def test_any_text_is_an_origin_in_its_final_form_or_refused(text: str) -> None:
    try:
        origin = parse_origin(text)
    except BadOrigin:
        return
    assert parse_origin(origin) == origin

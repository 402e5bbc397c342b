"""The view's address: what it takes, what it refuses in a sentence, and that it keeps passwords."""

from pathlib import Path

import pytest

from feed.errors import WrongOption
from timeseries.adapters.elasticsearch.options import parse_options


def test_hosts_have_the_default_port_and_the_scheme_behind_the_plus() -> None:
    options = parse_options("elasticsearch+https://a,b:9300,[::1]:9201,[::2]", {})

    assert options.hosts == [
        "https://a:9200",
        "https://b:9300",
        "https://[::1]:9201",
        "https://[::2]:9200",
    ]
    assert (options.user, options.index_prefix, options.replicas) == (None, "weir", None)


def test_user_and_password_are_decoded_and_never_shown() -> None:
    options = parse_options("elasticsearch+http://weir:s%40cret%3A@a:9200", {})

    assert (options.user, options.password) == ("weir", "s@cret:")
    assert "s@cret" not in repr(options)
    assert options.hosts == ["http://a:9200"]


def test_numbers_and_switches_are_read(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    given = {
        "index_prefix": "stage-2",
        "shards": "3",
        "replicas": "0",
        "spread": "4",
        "refresh_s": "0.25",
        "ca": str(ca),
        "verify": "off",
    }
    options = parse_options("elasticsearch+https://a", given)

    assert (options.index_prefix, options.shards, options.replicas) == ("stage-2", 3, 0)
    assert (options.spread, options.refresh_s, options.ca) == (4, 0.25, str(ca))
    assert options.verify is False


@pytest.mark.parametrize(
    ("url", "given", "says"),
    [
        ("elasticsearch+http://", {}, "host ''"),
        ("elasticsearch+http://a,,b", {}, "host ''"),
        ("elasticsearch+http://a/path", {}, "path '/path'"),
        ("elasticsearch+http://user@a", {}, "without a password"),
        ("elasticsearch+http://a", {"shard": "1"}, "no option of elasticsearch: it takes"),
        ("elasticsearch+http://a", {"shards": "0"}, "a whole number from 1 to 64"),
        ("elasticsearch+http://a", {"refresh_s": "x"}, "a number from 0.05 to 1.5"),
        ("elasticsearch+http://a", {"index_prefix": "Weir"}, "a-z 0-9"),
        ("elasticsearch+http://a", {"index_prefix": "-x"}, "a-z 0-9"),
        ("elasticsearch+http://a", {"ca": "/nowhere/ca.pem"}, "no such file"),
        ("elasticsearch+http://a", {"verify": "no"}, "on or off"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str, given: dict[str, str], says: str) -> None:
    with pytest.raises(WrongOption, match="WEIR_TIMESERIES_URL") as raised:
        parse_options(url, given)

    assert says in str(raised.value)

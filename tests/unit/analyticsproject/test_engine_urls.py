"""The three engine URLs: what they give, and what is wrong with one, without any of its secrets."""

import pytest

from analyticsproject.engine_urls import engine
from analyticsproject.env import WrongSetting

BACKENDS = {"embedded": "a.embedded", "kafka": "a.kafka", "elasticsearch+https": "a.search"}


def test_an_engines_url_gives_its_adapter_and_options() -> None:
    entry = engine("WEIR_FEED_URL", "embedded:?partitions=8&note=", BACKENDS)

    assert entry == {
        "BACKEND": "a.embedded",
        "URL": "embedded:?partitions=8&note=",
        "OPTIONS": {"partitions": "8", "note": ""},
    }


@pytest.mark.parametrize(
    "url",
    [
        "kafka://one",
        "kafka://one:9092,two:9093?prefix=a",
        "kafka://user:p%40ss@one,two:1/path",
        "kafka://[::1]:9092,[fe80::1]",
        "elasticsearch+https://user:pass@search:65535?ca=%2Fca.pem",
    ],
)
def test_hosts_and_ports_are_taken_as_they_are(url: str) -> None:
    assert engine("WEIR_FEED_URL", url, BACKENDS)["URL"] == url


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "is no URL: it takes one that starts with embedded:, kafka:"),
        ("s3cret", "is no URL"),
        ("carrier-pigeon://u:s3cret@here", "unknown kind 'carrier-pigeon:'"),
        ("embedded://s3cret", "gives the embedded engine a host or path"),
        ("embedded:s3cret", "gives the embedded engine a host or path"),
        ("kafka:", "names no host: it looks like kafka://host:9092"),
        ("kafka://?prefix=s3cret", "names no host"),
        ("kafka://u:s3cret@", "names no host"),
        ("kafka://one,,two", "names no host"),
        ("kafka://one:9092,:s3cret", "names no host"),
        ("kafka://one:0", "a port that is no number from 1 to 65535"),
        ("kafka://one:65536", "a port that is no number"),
        ("kafka://one:", "a port that is no number"),
        ("kafka://one:٣", "a port that is no number"),
        ("kafka://u:s3cret/more@one:9092", "a port that is no number .* percent-encoded"),
        ("kafka://u:s3cret?more@one:9092", "a port that is no number .* percent-encoded"),
        ("kafka://u:s3cret#more@one:9092", "has a #"),
        ("kafka://[s3cret", "cannot be read as a URL"),
        ("kafka://u:s3[cret@one]:9092", "cannot be"),
        ("kafka://one?prefix=s3cret&prefix=b", "has the option prefix twice"),
    ],
)
def test_a_wrong_url_is_one_sentence_without_its_secrets(url: str, sentence: str) -> None:
    with pytest.raises(WrongSetting, match=f"^weir: WEIR_FEED_URL .*{sentence}") as wrong:
        engine("WEIR_FEED_URL", url, BACKENDS)

    assert "s3cret" not in str(wrong.value)
    assert "\n" not in str(wrong.value)

"""The options of `embedded:`: every wrong one is a sentence that names it."""

from pathlib import Path

import pytest

from feed.adapters.embedded import open_feed
from feed.adapters.embedded.options import Options, parse_options
from feed.errors import WrongOption


def test_without_options_the_defaults_hold() -> None:
    options = parse_options({})

    assert options.partitions == 4
    assert options.max_record_bytes == 1024 * 1024
    assert options.retention_hours == {
        "events": 72,
        "history": 24,
        "changes": 1,
        "dead-letters": 72,
    }


def test_options_are_read_from_their_text() -> None:
    options = parse_options(
        {"partitions": "12", "lease_s": "2.5", "dead_letters_retention_hours": "0.5"}
    )

    assert (options.partitions, options.lease_s) == (12, 2.5)
    assert options.retention_hours["dead-letters"] == 0.5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("partitions", "0"),
        ("partitions", "257"),
        ("partitions", "4.5"),
        ("partitions", ""),
        ("partitions", "many"),
        ("lease_s", "nan"),
        ("lease_s", "-1"),
        ("max_poll_s", "inf"),
        ("queue_bytes", "1e3"),
        ("events_retention_hours", "-1"),
        ("changes_retention_hours", "soon"),
        ("partition", "4"),
        ("PARTITIONS", "4"),
        ("replays_retention_hours", "4"),
    ],
)
def test_a_wrong_option_is_one_sentence_that_names_it(name: str, text: str) -> None:
    with pytest.raises(WrongOption) as told:
        parse_options({name: text})

    sentence = str(told.value)
    assert "WEIR_FEED_URL" in sentence
    assert name in sentence
    assert "\n" not in sentence


def test_opening_a_feed_touches_no_file(tmp_path: Path) -> None:
    open_feed("embedded:", {}, tmp_path / "nowhere").close()

    assert list(tmp_path.iterdir()) == []


def test_every_topic_has_a_retention() -> None:
    assert parse_options({}).retention_hours.keys() == {
        "events",
        "history",
        "changes",
        "dead-letters",
    }
    assert Options().partitions == 4

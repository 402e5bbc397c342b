"""A changed feed is refused while the old embedded one holds unread records."""

from pathlib import Path

import pytest
from django.test.utils import override_settings

from feed.leftovers import UnreadLeftovers, refuse_unread_leftovers, unread_by_group
from feed.topics import Group, Topic
from tests.unit.feed.loops import open_test_feed, publish_events

ANOTHER = {"BACKEND": "feed.adapters.kafka.open_feed", "URL": "kafka://b1:9092", "OPTIONS": {}}


def drain(data_dir: Path) -> None:
    feed = open_test_feed(data_dir)
    for group in (Group.SINK, Group.PROJECTOR):
        ends = {
            (Topic.EVENTS, number): bounds.end
            for number, bounds in feed.bounds(Topic.EVENTS).items()
        }
        feed.set_committed(group, ends)  # type: ignore[arg-type]  # a plain pair will do
    feed.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    feed = open_test_feed(tmp_path)
    publish_events(feed, 3)
    feed.close()
    return tmp_path


def test_unread_records_refuse_the_start_and_say_how_to_drain(data_dir: Path) -> None:
    with override_settings(FEED=ANOTHER, DATA_DIR=data_dir), pytest.raises(UnreadLeftovers) as end:
        refuse_unread_leftovers()

    sentence = str(end.value)
    assert sentence.startswith("weir: WEIR_FEED_URL has changed")
    assert "3 for warehouse-sink, 3 for projector" in sentence
    assert "until pipeline_status shows no lag" in sentence


def test_a_drained_feed_may_be_left(data_dir: Path) -> None:
    drain(data_dir)

    with override_settings(FEED=ANOTHER, DATA_DIR=data_dir):
        refuse_unread_leftovers()


def test_the_embedded_feed_itself_is_never_refused(data_dir: Path) -> None:
    with override_settings(DATA_DIR=data_dir):
        refuse_unread_leftovers()


def test_a_folder_without_a_feed_is_never_refused(tmp_path: Path) -> None:
    with override_settings(FEED=ANOTHER, DATA_DIR=tmp_path):
        refuse_unread_leftovers()


def test_an_old_feed_that_cannot_be_read_refuses_too(tmp_path: Path) -> None:
    (tmp_path / "feed").mkdir()

    with (
        override_settings(FEED=ANOTHER, DATA_DIR=tmp_path),
        pytest.raises(UnreadLeftovers, match="cannot be read"),
    ):
        refuse_unread_leftovers()


def test_unread_counts_are_by_group(data_dir: Path) -> None:
    feed = open_test_feed(data_dir)

    assert unread_by_group(feed) == {"warehouse-sink": 3, "projector": 3}
    feed.close()

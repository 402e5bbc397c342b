"""What is announced on topic `changes`, when, and that it only ever wakes."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed import metrics
from feed.adapters.embedded import EmbeddedFeed
from feed.announcements import (
    MAX_RANGES,
    SPACING_S,
    Announcer,
    Changed,
    ChangedRange,
    Passed,
    merge_ranges,
    parse_announcement,
)
from feed.ports import TopicPartition
from feed.topics import Group, Topic
from tests.fakes import FakeClock
from tests.unit.feed.loops import (
    SETTLED_S,
    AnnouncingKeeper,
    Keeper,
    announcements,
    backpressure,
    consuming,
    live,
    position,
    publish_events,
    topic_away,
    turn_until_committed,
)

EVENTS_0 = TopicPartition(Topic.EVENTS, 0)


def test_committed_positions_are_announced(feed: EmbeddedFeed) -> None:
    publish_events(feed, 3)
    with consuming(feed, live(Keeper())) as consumer:
        turn_until_committed(consumer)
    assert announcements(feed) == [Passed("warehouse-sink", (("events", 0, 3),))]


def test_positions_within_the_spacing_are_announced_as_one(feed: EmbeddedFeed) -> None:
    fake = FakeClock()
    announcer = Announcer(feed, Group.SINK, fake.clock)
    for reached in range(1, 6):
        announcer.announce_passed({EVENTS_0: reached})
    assert 0 < announcer.due_in_s() <= SPACING_S
    announcer.tick()
    fake.move(SPACING_S)
    assert announcer.due_in_s() == 0
    announcer.tick()
    assert announcer.due_in_s() == float("inf")
    assert [said.positions for said in announcements(feed) if isinstance(said, Passed)] == [
        (("events", 0, 1),),
        (("events", 0, 5),),
    ]


def test_what_is_pending_is_announced_when_the_lane_closes(feed: EmbeddedFeed) -> None:
    fake = FakeClock()
    publish_events(feed, 4)
    with consuming(feed, live(Keeper(), batch_records=2), clock=fake.clock) as consumer:
        turn_until_committed(consumer)
        turn_until_committed(consumer)
    assert announcements(feed)[-1] == Passed("warehouse-sink", (("events", 0, 4),))


def test_changed_ranges_are_announced_before_the_commit(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    keeper = AnnouncingKeeper(changes=[ChangedRange("demo", 10, 20), ChangedRange("demo", 15, 30)])
    with consuming(feed, live(keeper)) as consumer:
        turn_until_committed(consumer)
    assert announcements(feed) == [
        Changed((("demo", 10, 30),)),
        Passed("warehouse-sink", (("events", 0, 1),)),
    ]


def test_nothing_is_announced_for_a_batch_that_was_put_back(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    keeper = AnnouncingKeeper(
        changes=[ChangedRange("demo", 10, 20)], troubles=[backpressure(retry_after_s=30)]
    )
    with consuming(feed, live(keeper)) as consumer:
        consumer.turn(timeout_s=1.0)
        assert announcements(feed) == []


def test_what_a_handler_held_back_is_announced_when_nothing_comes(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    keeper = AnnouncingKeeper()
    with consuming(feed, live(keeper)) as consumer:
        turn_until_committed(consumer)
        keeper.changes = [ChangedRange("demo", 10, 20)]
        consumer.turn(timeout_s=0.0)
        assert Changed((("demo", 10, 20),)) in announcements(feed)


def test_what_a_handler_held_back_is_announced_when_the_lane_closes(feed: EmbeddedFeed) -> None:
    keeper = AnnouncingKeeper()
    with consuming(feed, live(keeper)):
        keeper.changes = [ChangedRange("demo", 10, 20)]
    assert announcements(feed) == [Changed((("demo", 10, 20),))]


def test_a_log_that_takes_no_announcement_stops_no_commit(
    feed: EmbeddedFeed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_events(feed, 1)
    counter = metrics.ANNOUNCEMENTS_DROPPED.labels("warehouse-sink")
    before = counter._value.get()
    keeper = AnnouncingKeeper(changes=[ChangedRange("demo", 10, 20)])
    with topic_away(tmp_path, Topic.CHANGES):
        with consuming(feed, live(keeper)) as consumer:
            turn_until_committed(consumer)
        feed.flush(timeout_s=SETTLED_S)
    assert position(feed, live(keeper)) == 1
    assert counter._value.get() - before == 2
    assert "an announcement was not taken" in caplog.text


def test_many_ranges_are_split_over_several_announcements(feed: EmbeddedFeed) -> None:
    announcer = Announcer(feed, Group.PROJECTOR, FakeClock().clock)
    announcer.announce_changed(
        [ChangedRange("demo", 10 * n, 10 * n + 1) for n in range(MAX_RANGES + 1)]
    )
    said = announcements(feed)
    assert [len(each.ranges) for each in said if isinstance(each, Changed)] == [MAX_RANGES, 1]


def test_the_bytes_are_what_the_documentation_says() -> None:
    assert parse_announcement(
        b'{"kind": "passed", "group": "projector", "positions": [["events", 0, 118]]}'
    ) == Passed("projector", (("events", 0, 118),))
    assert parse_announcement(
        b'{"kind": "changed", "ranges": [["demo", 1700000000000, 1700000060000]]}'
    ) == Changed((("demo", 1_700_000_000_000, 1_700_000_060_000),))


@pytest.mark.parametrize(
    "value", [b"", b"{}", b'{"kind": "other"}', b'{"kind": "changed", "ranges": [["demo", "1"]]}']
)
def test_other_bytes_are_no_announcement(value: bytes) -> None:
    with pytest.raises(ValueError, match="not an announcement"):
        parse_announcement(value)


ranges = st.builds(
    lambda project, start, length: ChangedRange(project, start, start + length),
    st.sampled_from("ab"),
    st.integers(0, 60),
    st.integers(1, 20),
)


@settings(max_examples=100)
@given(st.lists(ranges, max_size=12))
def test_merging_covers_the_same_instants_with_ranges_that_do_not_touch(
    given_ranges: list[ChangedRange],
) -> None:
    merged = merge_ranges(given_ranges)
    assert _instants(merged) == _instants(given_ranges)
    for before, after in zip(merged, merged[1:], strict=False):
        assert before.project < after.project or before.to_ms < after.from_ms


def _instants(found: list[ChangedRange]) -> set[tuple[str, int]]:
    return {(each.project, at) for each in found for at in range(each.from_ms, each.to_ms)}

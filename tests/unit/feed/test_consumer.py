"""One lane, turn by turn: what is handled, committed, put back."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from feed.adapters.embedded import EmbeddedFeed
from feed.clock import Clock
from feed.codec import decode, encode
from feed.deliveries import Batch, Delivery, Poison
from feed.errors import DataLoss, FeedUnavailable, UnknownSchema
from feed.ports import OutgoingRecord, Record, TopicPartition
from feed.topics import Group, Topic
from tests.builders import make_event
from tests.fakes import FakeClock
from tests.unit.feed.loops import (
    SETTLED_S,
    Keeper,
    backpressure,
    consuming,
    live,
    open_test_feed,
    position,
    publish_events,
    publish_values,
    turn_until_committed,
    turn_until_raised,
)

UNKNOWN_SCHEMA = b"\xc3\x01" + bytes(8) + b"written by a newer Weir"


def test_what_was_handled_is_committed_up_to_its_last_record(feed: EmbeddedFeed) -> None:
    publish_events(feed, 5)
    keeper = Keeper()
    with consuming(feed, live(keeper)) as consumer:
        turn = turn_until_committed(consumer)
    assert turn.committed == 5
    assert keeper.handled == [f"e-{n}" for n in range(5)]
    assert position(feed, live(keeper)) == 5


def test_each_partition_is_committed_past_its_own_last_record(tmp_path: Path) -> None:
    feed = open_test_feed(tmp_path, partitions=3)
    publish_events(feed, 60)
    ends = {partition: bounds.end for partition, bounds in feed.bounds(Topic.EVENTS).items()}
    with consuming(feed, live(Keeper())) as consumer:
        turn_until_committed(consumer)
    held = feed.committed(Group.SINK, Topic.EVENTS)
    feed.close()
    assert {partition: each.position for partition, each in held.items()} == ends
    assert min(ends.values()) > 0


def test_a_turn_with_nothing_to_read_does_nothing(feed: EmbeddedFeed) -> None:
    keeper = Keeper()
    with consuming(feed, live(keeper)) as consumer:
        turn = consumer.turn(timeout_s=0.0)
    assert turn.records == 0
    assert keeper.batches == 0


def test_a_batch_is_no_larger_than_its_lane_allows(feed: EmbeddedFeed) -> None:
    publish_events(feed, 7)
    with consuming(feed, live(Keeper(), batch_records=3)) as consumer:
        turns = [turn_until_committed(consumer).records for _ in range(3)]
    assert turns == [3, 3, 1]


def test_a_turn_may_be_asked_for_fewer(feed: EmbeddedFeed) -> None:
    publish_events(feed, 5)
    with consuming(feed, live(Keeper(), batch_records=3)) as consumer:
        turn_until_committed(consumer)
        turn = consumer.turn(timeout_s=5.0, most_records=1)
    assert turn.records == 1


def test_a_turn_tells_how_long_its_oldest_record_had_waited(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    (record,) = feed.reader(Topic.EVENTS, from_end=False).poll(1, timeout_s=5.0)
    clock = Clock(now_ms=lambda: record.appended_at_ms + 3_500)
    with consuming(feed, live(Keeper()), clock=clock) as consumer:
        turn = turn_until_committed(consumer)
    assert turn.lag_s == 3.5


def test_backpressure_commits_nothing_and_delivers_the_same_records_again(
    feed: EmbeddedFeed,
) -> None:
    publish_events(feed, 4)
    keeper = Keeper(troubles=[backpressure(), backpressure()])
    fake = FakeClock()
    with consuming(feed, live(keeper), clock=fake.clock) as consumer:
        consumer.turn(timeout_s=1.0)
        assert consumer.is_waiting()
        assert position(feed, consumer.lane) == 0
        fake.move(60)
        consumer.turn(timeout_s=1.0)
        fake.move(60)
        turn_until_committed(consumer)
        assert not consumer.is_waiting()
    assert keeper.batches == 3
    assert keeper.handled == [f"e-{n}" for n in range(4)]


def test_a_waiting_lane_takes_nothing_before_the_time_that_was_asked_for(
    feed: EmbeddedFeed,
) -> None:
    publish_events(feed, 1)
    keeper = Keeper(troubles=[backpressure(retry_after_s=12.0)])
    fake = FakeClock()
    with consuming(feed, live(keeper), clock=fake.clock) as consumer:
        consumer.turn(timeout_s=1.0)
        fake.move(11.9)
        for _ in range(5):
            consumer.turn(timeout_s=0.0)
        assert keeper.batches == 1
        fake.move(0.2)
        turn_until_committed(consumer)
    assert keeper.batches == 2


def test_a_waiting_lane_stays_a_member_of_its_group(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    with consuming(feed, live(Keeper(troubles=[backpressure(retry_after_s=30)]))) as consumer:
        consumer.turn(timeout_s=1.0)
        consumer.turn(timeout_s=0.0)
        (member,) = feed.members(Group.SINK)
    assert member.partitions == {TopicPartition(Topic.EVENTS, 0)}


def test_waiting_is_said_once_and_so_is_its_end(
    feed: EmbeddedFeed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="feed")
    publish_events(feed, 1)
    fake = FakeClock()
    keeper = Keeper(troubles=[backpressure(), backpressure(), backpressure()])
    with consuming(feed, live(keeper), clock=fake.clock) as consumer:
        for _ in range(3):
            consumer.turn(timeout_s=1.0)
            fake.move(60)
        turn_until_committed(consumer)
    said = [record.getMessage() for record in caplog.records if record.name == "feed.waiting"]
    assert said == [
        "warehouse-sink: the store is not reachable: waiting (the test's store is away)",
        "warehouse-sink: reachable again: going on",
    ]


def test_a_poll_that_finds_nothing_yet_does_not_end_the_wait_for_a_store(
    feed: EmbeddedFeed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A log may take a moment to give again what was put back."""
    caplog.set_level(logging.INFO, logger="feed")
    publish_events(feed, 1)
    fake = FakeClock()
    keeper = Keeper(troubles=[backpressure(), backpressure()])
    with consuming(feed, live(keeper), clock=fake.clock) as consumer:
        for _ in range(2):
            consumer.turn(timeout_s=1.0)
            fake.move(60)
            with monkeypatch.context() as slow:
                slow.setattr(type(consumer._consumer), "poll", lambda *_, **__: [])
                consumer.turn(timeout_s=1.0)
            assert consumer.is_waiting()
        turn_until_committed(consumer)
        assert not consumer.is_waiting()
    said = [record.getMessage() for record in caplog.records if record.name == "feed.waiting"]
    assert len(said) == 2
    assert said[1] == "warehouse-sink: reachable again: going on"


def test_a_wait_ends_with_the_partition_it_was_for(
    feed: EmbeddedFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_events(feed, 1)
    fake = FakeClock()
    keeper = Keeper(troubles=[backpressure()])
    with consuming(feed, live(keeper), clock=fake.clock) as consumer:
        consumer.turn(timeout_s=1.0)
        fake.move(60)
        consumer.on_lost(frozenset({TopicPartition(Topic.EVENTS, 0)}))
        monkeypatch.setattr(type(consumer._consumer), "poll", lambda *_, **__: [])
        consumer.turn(timeout_s=1.0)
        assert not consumer.is_waiting()


def test_a_feed_that_cannot_be_reached_is_waited_for_too(
    feed: EmbeddedFeed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_events(feed, 2)
    away = tmp_path / "feed-away"
    fake = FakeClock()
    keeper = Keeper()
    (tmp_path / "feed").rename(away)
    with consuming(feed, live(keeper), clock=fake.clock) as consumer:
        consumer.turn(timeout_s=0.0)
        assert consumer.is_waiting()
        consumer.turn(timeout_s=0.0)
        away.rename(tmp_path / "feed")
        fake.move(60)
        turn_until_committed(consumer)
    assert keeper.handled == ["e-0", "e-1"]
    assert "the feed is not reachable" in caplog.text


def test_a_bug_in_the_handler_commits_nothing_and_is_not_swallowed(feed: EmbeddedFeed) -> None:
    publish_events(feed, 2)
    keeper = Keeper(troubles=[KeyError("a bug")])
    with consuming(feed, live(keeper)) as consumer, pytest.raises(KeyError):
        turn_until_committed(consumer)
    assert position(feed, live(keeper)) == 0


def test_a_batch_of_partitions_lost_meanwhile_is_dropped_and_comes_again(
    tmp_path: Path,
) -> None:
    feed = open_test_feed(tmp_path, lease_s=0.2, max_poll_s=0.2)
    publish_events(feed, 3)
    other = Keeper()

    class Overtaken(Keeper):
        """While it handles, its member is taken for dead and another takes over."""

        def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
            if self.batches == 0:
                with consuming(feed, live(other)) as second:
                    turn_until_committed(second)
            return super().handle(batch)

    overtaken = Overtaken()
    with consuming(feed, live(overtaken)) as consumer:
        turn = consumer.turn(timeout_s=5.0)
        assert turn.committed == 0
        assert position(feed, consumer.lane) == 3
        publish_events(feed, 1, prefix="later")
        turn_until_committed(consumer)
    feed.close()
    assert other.handled == ["e-0", "e-1", "e-2"]
    assert overtaken.handled == ["e-0", "e-1", "e-2", "later-0"]


def test_an_unknown_schema_stops_after_committing_what_precedes_it(feed: EmbeddedFeed) -> None:
    publish_events(feed, 2)
    publish_values(feed, [UNKNOWN_SCHEMA])
    publish_events(feed, 2, prefix="after")
    keeper = Keeper()
    with consuming(feed, live(keeper)) as consumer, pytest.raises(UnknownSchema, match="upgrade"):
        turn_until_raised(consumer)
    assert keeper.handled == ["e-0", "e-1"]
    assert position(feed, live(keeper)) == 2


def test_an_unknown_schema_at_the_head_commits_nothing(feed: EmbeddedFeed) -> None:
    publish_values(feed, [UNKNOWN_SCHEMA])
    keeper = Keeper()
    with consuming(feed, live(keeper)) as consumer, pytest.raises(UnknownSchema):
        turn_until_committed(consumer)
    assert keeper.handled == []
    assert feed.committed(Group.SINK, Topic.EVENTS) == {}


def test_an_unknown_schema_stops_its_own_partition_alone() -> None:
    good = encode(make_event())
    records = [
        Record("events", partition, offset, 0, b"", value)
        for partition, offset, value in [
            (0, 0, good), (0, 1, UNKNOWN_SCHEMA), (1, 0, good), (0, 2, good), (1, 1, good),
        ]
    ]  # fmt: skip
    batch = Batch(records, decode)
    for _ in range(2):  # a second iteration gives the same
        assert [(each.record.partition, each.record.offset) for each in batch] == [
            (0, 0), (1, 0), (1, 1),
        ]  # fmt: skip
    assert [(each.partition, each.offset) for each in batch.passed()] == [(0, 0), (1, 0), (1, 1)]
    assert batch.unknown is not None


def test_a_position_past_the_log_is_data_loss(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    feed.set_committed(Group.SINK, {TopicPartition(Topic.EVENTS, 0): 99})
    with consuming(feed, live(Keeper())) as consumer, pytest.raises(DataLoss, match="DATA LOSS"):
        turn_until_committed(consumer)


def test_keeping_membership_takes_no_record_and_the_next_turn_takes_them_all(
    feed: EmbeddedFeed,
) -> None:
    keeper = Keeper()
    with consuming(feed, live(keeper)) as consumer:
        consumer.turn(timeout_s=0.0)
        publish_events(feed, 3)
        for _ in range(3):
            consumer.keep_membership()
        assert keeper.batches == 0
        turn_until_committed(consumer)
    assert keeper.handled == ["e-0", "e-1", "e-2"]


def test_partitions_assigned_while_waiting_are_not_read_before_the_wait_is_over(
    feed: EmbeddedFeed,
) -> None:
    publish_events(feed, 3)
    keeper = Keeper()
    with consuming(feed, live(keeper)) as consumer:
        for _ in range(3):
            consumer.keep_membership()
        assert keeper.batches == 0
        turn_until_committed(consumer)
    assert keeper.handled == ["e-0", "e-1", "e-2"]


def test_a_refused_commit_puts_the_batch_back(feed: EmbeddedFeed) -> None:
    record = OutgoingRecord(b"k", encode(make_event(id="only")))
    assert feed.publish(Topic.EVENTS, [record]).wait(timeout_s=SETTLED_S)
    fake = FakeClock()
    keeper = Keeper(troubles=[FeedUnavailable("the log went away between poll and commit")])
    with consuming(feed, live(keeper), clock=fake.clock) as consumer:
        consumer.turn(timeout_s=1.0)
        fake.move(60)
        turn_until_committed(consumer)
    assert keeper.handled == ["only"]

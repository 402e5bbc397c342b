"""How far a group is behind, on the real feed."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from feed.adapters.embedded import EmbeddedFeed
from feed.clock import Clock
from feed.lag import APPEND_SLACK_MS, complete_through_ms, partition_lags
from feed.lag_metrics import LagCollector
from feed.ports import Record, TopicPartition
from feed.topics import Group, Topic
from tests.unit.feed.loops import Keeper, live, open_test_feed, position, publish_events
from tests.unit.feed.test_loop import drain

EVENTS_0 = TopicPartition(Topic.EVENTS, 0)


def records_of(feed: EmbeddedFeed) -> list[Record]:
    reader = feed.reader(Topic.EVENTS, from_end=False)
    records = list(reader.poll(1_000, timeout_s=0.0))
    reader.close()
    return records


def test_a_group_that_never_committed_is_behind_by_everything(feed: EmbeddedFeed) -> None:
    publish_events(feed, 3)
    first_ms = records_of(feed)[0].appended_at_ms
    (lag,) = partition_lags(feed, Group.SINK, Topic.EVENTS, now_ms=first_ms + 4_500)
    assert (lag.group, lag.topic, lag.partition) == ("warehouse-sink", "events", 0)
    assert (lag.start, lag.committed, lag.committed_at_ms, lag.end) == (0, None, None, 3)
    assert (lag.lag, lag.lag_seconds) == (3, 4.5)


def test_the_seconds_are_those_of_the_oldest_record_not_handled(feed: EmbeddedFeed) -> None:
    publish_events(feed, 2)
    publish_events(feed, 2)
    third_ms = records_of(feed)[2].appended_at_ms
    feed.set_committed(Group.SINK, {EVENTS_0: 2})
    (lag,) = partition_lags(feed, Group.SINK, Topic.EVENTS, now_ms=third_ms + 1_250)
    assert (lag.committed, lag.lag, lag.lag_seconds) == (2, 2, 1.25)


def test_without_lag_the_seconds_are_0_however_long_ago_the_last_record(
    feed: EmbeddedFeed,
) -> None:
    publish_events(feed, 2)
    drain(feed, live(Keeper()))
    (lag,) = partition_lags(feed, Group.SINK, Topic.EVENTS, now_ms=2**45)
    assert (lag.lag, lag.lag_seconds) == (0, 0.0)


def test_neither_a_clock_behind_nor_a_position_past_the_end_gives_negative_lag(
    feed: EmbeddedFeed,
) -> None:
    publish_events(feed, 2)
    (lag,) = partition_lags(feed, Group.SINK, Topic.EVENTS, now_ms=0)
    assert (lag.lag, lag.lag_seconds) == (2, 0.0)
    feed.set_committed(Group.SINK, {EVENTS_0: 9})
    (lag,) = partition_lags(feed, Group.SINK, Topic.EVENTS, now_ms=2**45)
    assert (lag.lag, lag.lag_seconds) == (0, 0.0)


def test_a_group_is_complete_up_to_its_oldest_unhandled_record(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    publish_events(feed, 1)
    feed.set_committed(Group.SINK, {EVENTS_0: 1})
    second_ms = records_of(feed)[1].appended_at_ms
    now_ms = second_ms + 60_000
    assert complete_through_ms(feed, Group.SINK, Topic.EVENTS, now_ms=now_ms) == second_ms


def test_a_group_without_lag_is_complete_up_to_just_now(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    drain(feed, live(Keeper()))
    through_ms = complete_through_ms(feed, Group.SINK, Topic.EVENTS, now_ms=2**45)
    assert through_ms == 2**45 - APPEND_SLACK_MS


def test_the_slowest_partition_decides(tmp_path: Path) -> None:
    feed = open_test_feed(tmp_path, partitions=2)
    publish_events(feed, 30)
    drain(feed, live(Keeper()))
    feed.set_committed(Group.SINK, {TopicPartition(Topic.EVENTS, 1): 0})
    oldest_ms = min(each.appended_at_ms for each in records_of(feed) if each.partition == 1)
    now_ms = oldest_ms + 60_000
    assert complete_through_ms(feed, Group.SINK, Topic.EVENTS, now_ms=now_ms) == oldest_ms
    feed.close()


def test_lag_is_served_as_gauges_by_group_topic_and_partition(feed: EmbeddedFeed) -> None:
    publish_events(feed, 3)
    feed.set_committed(Group.SINK, {EVENTS_0: 1})
    first_ms = records_of(feed)[1].appended_at_ms
    registry = CollectorRegistry()
    collector = LagCollector(Clock(now_ms=lambda: first_ms + 7_000))
    registry.register(collector)
    collector.watch(feed, [("warehouse-sink", "events")])
    text = generate_latest(registry).decode()
    where = '{group="warehouse-sink",partition="0",topic="events"}'
    assert f"weir_consumer_lag_records{where} 2.0" in text
    assert f"weir_consumer_lag_seconds{where} 7.0" in text
    assert f"weir_consumer_committed_position{where} 1.0" in text
    assert position(feed, live(Keeper())) == 1


def test_gauges_have_no_figures_when_nothing_is_watched_or_the_feed_is_away(
    feed: EmbeddedFeed,
) -> None:
    registry = CollectorRegistry()
    collector = LagCollector()
    registry.register(collector)
    assert b"weir_consumer_lag_records{" not in generate_latest(registry)
    collector.watch(feed, [("warehouse-sink", "events")])
    assert b"weir_consumer_lag_records{" in generate_latest(registry)
    feed.close()
    assert b"weir_consumer_lag_records{" not in generate_latest(registry)
    collector.forget()
    assert b"weir_consumer_lag_records{" not in generate_latest(registry)

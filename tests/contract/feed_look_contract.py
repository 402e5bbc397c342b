"""The Feed port's promises to those who only look: readers, bounds, times, upkeep."""

from collections.abc import Sequence

import pytest

from feed.errors import FeedUnavailable
from feed.ports import PartitionBounds, Record, TopicPartition
from tests.contract.feed_driver import (
    PATIENCE_S,
    DeleteBefore,
    OpenFeed,
    make_records,
    places,
    publish,
    publish_twice,
    read,
    ticketed,
)


class LookContract:
    def test_a_reader_from_the_end_sees_only_what_comes_later(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(20))
        reader = feed.reader(topic)
        records = make_records(10)

        outcomes = publish(open_feed(), topic, records)

        assert places(read(reader, 10)) == ticketed(records, outcomes)
        assert reader.poll(10, timeout_s=0.0) == []
        reader.close()

    def test_readers_share_nothing(self, open_feed: OpenFeed, topic: str) -> None:
        feed = open_feed()
        records = make_records(30)
        outcomes = publish(feed, topic, records)

        for _ in range(2):
            reader = feed.reader(topic, from_end=False)
            assert places(read(reader, 30)) == ticketed(records, outcomes)
            reader.close()

    def test_a_reader_gives_no_more_than_asked(self, open_feed: OpenFeed, topic: str) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(30))
        reader = feed.reader(topic, from_end=False)

        polls: list[Sequence[Record]] = []
        while sum(map(len, polls)) < 30:
            polls.append(reader.poll(7, timeout_s=PATIENCE_S))

        assert max(map(len, polls)) <= 7
        assert len({(r.partition, r.offset) for poll in polls for r in poll}) == 30

    def test_a_reader_skips_what_was_trimmed_before_it_was_read(
        self, open_feed: OpenFeed, topic: str, delete_before: DeleteBefore
    ) -> None:
        feed = open_feed()
        place = TopicPartition(topic, 3)
        seam = publish_twice(feed, topic, 40)[place]
        reader = feed.reader(topic, from_end=False)
        delete_before(feed, place, seam)

        found = read(reader, 80 - seam)

        assert len(found) == 80 - seam
        assert min(record.offset for record in found if record.partition == 3) == seam

    def test_bounds_span_what_is_kept(
        self, open_feed: OpenFeed, topic: str, delete_before: DeleteBefore
    ) -> None:
        feed = open_feed()
        assert feed.bounds(topic) == {n: PartitionBounds(0, 0) for n in range(4)}

        seams = publish_twice(feed, topic, 40)
        place = TopicPartition(topic, 1)
        delete_before(feed, place, seams[place])

        bounds = feed.bounds(topic)
        for partition in range(4):
            assert bounds[partition].end > seams[TopicPartition(topic, partition)]
            assert bounds[partition].start == (seams[place] if partition == 1 else 0)

    def test_offsets_are_never_used_again_after_trimming(
        self, open_feed: OpenFeed, topic: str, delete_before: DeleteBefore
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        ends = {n: bounds.end for n, bounds in feed.bounds(topic).items()}
        for partition, end in ends.items():
            delete_before(feed, TopicPartition(topic, partition), end)
        feed.close()

        later = publish(open_feed(), topic, make_records(40))

        assert all(outcome.offset >= ends[outcome.partition] for outcome in later)

    def test_the_append_time_of_an_offset_is_that_of_its_record(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        for _ in range(3):
            publish(feed, topic, make_records(20))

        for record in read(feed.reader(topic, from_end=False), 60):
            place = TopicPartition(topic, record.partition)
            assert feed.appended_at_ms(place, record.offset) == record.appended_at_ms

    def test_there_is_no_append_time_at_the_end(self, open_feed: OpenFeed, topic: str) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(20))

        for partition, bounds in feed.bounds(topic).items():
            assert feed.appended_at_ms(TopicPartition(topic, partition), bounds.end) is None

    def test_a_time_leads_to_the_first_record_appended_at_or_after_it(
        self, open_feed: OpenFeed, topic: str
    ) -> None:
        feed = open_feed()
        for _ in range(6):
            publish(feed, topic, make_records(10))
        found = read(feed.reader(topic, from_end=False), 60)

        for time_ms in {record.appended_at_ms for record in found}:
            for partition in range(4):
                later = [
                    record.offset
                    for record in found
                    if record.partition == partition and record.appended_at_ms >= time_ms
                ]
                end = feed.bounds(topic)[partition].end
                place = TopicPartition(topic, partition)
                assert feed.position_at(place, time_ms) == min(later, default=end)

    def test_a_time_after_everything_leads_to_the_end_and_one_before_to_the_start(
        self, open_feed: OpenFeed, topic: str, delete_before: DeleteBefore
    ) -> None:
        feed = open_feed()
        place = TopicPartition(topic, 0)
        seam = publish_twice(feed, topic, 40)[place]
        delete_before(feed, place, seam)
        newest = max(r.appended_at_ms for r in read(feed.reader(topic, from_end=False), 80 - seam))

        assert feed.position_at(place, newest + 1) == feed.bounds(topic)[0].end
        assert feed.position_at(place, 0) == seam

    def test_topics_are_made_once(self, open_feed: OpenFeed) -> None:
        assert open_feed().ensure_topics() == []

    def test_a_log_that_answers_is_pinged_in_silence(self, open_feed: OpenFeed) -> None:
        open_feed().ping(timeout_s=PATIENCE_S)

    def test_an_unknown_topic_is_unavailable(self, open_feed: OpenFeed) -> None:
        with pytest.raises(FeedUnavailable):
            open_feed().bounds("no-such-topic")

    def test_a_closed_handle_answers_nothing(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        feed.close()

        for look in (
            lambda: feed.bounds(topic),
            lambda: feed.committed(group, topic),
            lambda: feed.members(group),
            lambda: feed.ping(timeout_s=1.0),
        ):
            with pytest.raises(FeedUnavailable):
                look()

"""The Feed port's promises to one consumer: positions, seek, pause, lost data."""

from collections.abc import Callable

import pytest

from feed.errors import DataLoss, Fenced
from feed.ports import TopicPartition
from tests.contract.feed_driver import (
    DeleteBefore,
    GroupMember,
    OpenFeed,
    make_records,
    places,
    positions_after,
    publish,
    publish_twice,
    receive,
    ticketed,
    wait_until,
)


def _fully_assigned(member: GroupMember) -> Callable[[], bool]:
    return lambda: len(member.consumer.assignment()) == 4


class ConsumeContract:
    def test_a_new_group_reads_from_the_start_everything_in_offset_order(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        records = make_records(300)
        outcomes = publish(feed, topic, records)

        found = receive(GroupMember(feed, group, topic), 300)

        assert places(found) == ticketed(records, outcomes)
        for partition in range(4):
            offsets = [record.offset for record in found if record.partition == partition]
            assert offsets == sorted(offsets)

    def test_the_assignment_is_empty_before_the_first_poll(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()

        member = GroupMember(feed, group, topic)

        assert member.consumer.assignment() == frozenset()
        assert feed.members(group) == []

    def test_assigned_partitions_are_told_to_the_listener(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        member = GroupMember(open_feed(), group, topic)

        wait_until(_fully_assigned(member), polling=[member])

        assert member.listener.told("assigned") == member.consumer.assignment()
        assert member.consumer.assignment() == {TopicPartition(topic, n) for n in range(4)}

    def test_a_poll_gives_no_more_than_asked_and_nothing_at_the_end(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(30))
        member = GroupMember(feed, group, topic)

        sizes = []
        while len(member.records) < 30:
            sizes.append(len(member.poll(7)))

        assert max(sizes) <= 7
        assert member.poll() == []

    def test_records_published_while_waiting_arrive(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        member = GroupMember(feed, group, topic)
        wait_until(_fully_assigned(member), polling=[member])

        records = make_records(10)
        outcomes = publish(open_feed(), topic, records)

        assert places(receive(member, 10)) == ticketed(records, outcomes)

    def test_one_consumer_reads_several_topics(
        self, open_feed: OpenFeed, topic: str, other_topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(20))
        publish(feed, other_topic, make_records(20))

        found = receive(GroupMember(feed, group, topic, other_topic), 40)

        assert {record.topic for record in found} == {topic, other_topic}

    def test_what_was_polled_and_not_committed_comes_again(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        first = GroupMember(feed, group, topic)
        given = places(receive(first, 40))
        first.consumer.close()

        again = receive(GroupMember(open_feed(), group, topic), 40)

        assert places(again) == given

    def test_what_was_committed_does_not_come_again(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        first = GroupMember(feed, group, topic)
        receive(first, 40)
        first.commit_all()
        first.consumer.close()
        feed.close()

        feed = open_feed()
        later = make_records(8)
        outcomes = publish(feed, topic, later)

        second = GroupMember(feed, group, topic)
        assert places(receive(second, 8)) == ticketed(later, outcomes)

    def test_a_commit_is_seen_by_every_handle(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        member = GroupMember(feed, group, topic)
        receive(member, 40)

        member.commit_all()

        held = open_feed().committed(group, topic)
        expected = positions_after(member.records)
        assert {TopicPartition(topic, n): held[n].position for n in held} == expected
        assert all(committed.committed_at_ms > 0 for committed in held.values())

    def test_a_partition_without_a_commit_is_absent(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        assert open_feed().committed(group, topic) == {}

    def test_seeking_back_gives_records_again_and_commits_nothing(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        member = GroupMember(feed, group, topic)
        receive(member, 40)
        place = TopicPartition(topic, 0)
        of_partition = [r for r in member.records if r.partition == 0]

        member.consumer.seek(place, of_partition[2].offset)
        member.records.clear()

        again = receive(member, len(of_partition) - 2)
        assert again == of_partition[2:]
        assert feed.committed(group, topic) == {}

    def test_seeking_forward_passes_records_over(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        member = GroupMember(feed, group, topic)
        wait_until(_fully_assigned(member), polling=[member])
        member.consumer.pause(member.consumer.assignment())
        publish(feed, topic, make_records(40))
        ends = {n: bounds.end for n, bounds in feed.bounds(topic).items()}

        for partition in range(1, 4):
            member.consumer.seek(TopicPartition(topic, partition), ends[partition])
        member.consumer.resume(member.consumer.assignment())

        receive(member, 1)
        later = make_records(1)
        publish(feed, topic, later)
        wait_until(lambda: any(r.value == later[0].value for r in member.records), polling=[member])
        assert {r.partition for r in member.records if r.offset < ends[r.partition]} == {0}

    def test_what_was_sought_back_comes_again_after_a_pause(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        member = GroupMember(feed, group, topic)
        receive(member, 40)
        given = places(member.records)

        for partition in range(4):
            member.consumer.seek(TopicPartition(topic, partition), 0)
        member.consumer.pause(member.consumer.assignment())
        member.records.clear()
        for _ in range(5):
            member.poll()
        assert member.records == []
        member.consumer.resume(member.consumer.assignment())

        assert places(receive(member, 40)) == given
        assert member.poll() == []

    def test_a_paused_partition_goes_on_where_it_was_sought(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        member = GroupMember(feed, group, topic)
        receive(member, 40)
        given = places(member.records)

        member.consumer.pause(member.consumer.assignment())
        member.poll()
        for partition in range(4):
            member.consumer.seek(TopicPartition(topic, partition), 0)
        member.records.clear()
        member.poll()
        assert member.records == []
        member.consumer.resume(member.consumer.assignment())

        assert places(receive(member, 40)) == given
        assert member.poll() == []

    def test_a_partition_that_is_not_ours_cannot_be_sought(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        member = GroupMember(open_feed(), group, topic)

        with pytest.raises(Fenced):
            member.consumer.seek(TopicPartition(topic, 0), 0)

    def test_a_paused_partition_gives_nothing_until_it_is_resumed(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        member = GroupMember(feed, group, topic)
        wait_until(_fully_assigned(member), polling=[member])
        paused = frozenset({TopicPartition(topic, 1), TopicPartition(topic, 2)})
        member.consumer.pause(paused)
        publish(feed, topic, make_records(80))
        counts = {n: bounds.end for n, bounds in feed.bounds(topic).items()}

        receive(member, counts[0] + counts[3])
        assert member.poll() == []
        assert {record.partition for record in member.records} == {0, 3}
        assert member.consumer.assignment() >= paused

        member.consumer.resume(paused)
        assert len(receive(member, 80)) == 80

    def test_a_position_before_the_start_is_data_loss_until_it_is_moved(
        self, open_feed: OpenFeed, topic: str, group: str, delete_before: DeleteBefore
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        place = TopicPartition(topic, 0)
        feed.set_committed(group, {place: 1})
        end = feed.bounds(topic)[0].end
        delete_before(feed, place, end)
        member = GroupMember(feed, group, topic)

        with pytest.raises(DataLoss, match="DATA LOSS") as told:
            wait_until(lambda: False, polling=[member])
        member.consumer.close()

        assert (told.value.group, told.value.topic, told.value.partition) == (group, topic, 0)
        assert (told.value.position, told.value.start) == (1, end)
        feed.set_committed(group, {place: end})
        moved = GroupMember(feed, group, topic)
        receive(moved, 40 - end)
        assert moved.poll() == []

    def test_no_position_is_data_loss_when_the_log_does_not_start_at_0(
        self, open_feed: OpenFeed, topic: str, group: str, delete_before: DeleteBefore
    ) -> None:
        feed = open_feed()
        place = TopicPartition(topic, 2)
        delete_before(feed, place, publish_twice(feed, topic, 40)[place])
        member = GroupMember(feed, group, topic)

        with pytest.raises(DataLoss, match="no position") as told:
            wait_until(lambda: False, polling=[member])

        assert (told.value.partition, told.value.position) == (2, None)
        assert not any(record.partition == 2 for record in member.records)

    def test_a_position_at_the_start_of_a_trimmed_log_is_fine(
        self, open_feed: OpenFeed, topic: str, group: str, delete_before: DeleteBefore
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        ends = {n: bounds.end for n, bounds in feed.bounds(topic).items()}
        for partition, end in ends.items():
            delete_before(feed, TopicPartition(topic, partition), end)
        starts = {TopicPartition(topic, n): b.start for n, b in feed.bounds(topic).items()}
        feed.set_committed(group, starts)
        records = make_records(10)

        outcomes = publish(feed, topic, records)

        found = receive(GroupMember(feed, group, topic), 10)
        assert places(found) == ticketed(records, outcomes)
        assert all(record.offset >= ends[record.partition] for record in found)

    def test_a_position_beyond_the_end_is_data_loss(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        feed.set_committed(group, {TopicPartition(topic, 1): 1000})
        member = GroupMember(feed, group, topic)

        with pytest.raises(DataLoss) as told:
            wait_until(lambda: False, polling=[member])

        assert (told.value.partition, told.value.position) == (1, 1000)

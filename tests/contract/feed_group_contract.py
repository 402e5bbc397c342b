"""The Feed port's promises to consumer groups: sharing, moving partitions, takeover, fencing."""

from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest

from feed.errors import Fenced, GroupActive
from feed.ports import Feed, TopicPartition
from tests.contract.feed_driver import (
    GroupMember,
    OpenFeed,
    make_records,
    places,
    positions_after,
    publish,
    receive,
    ticketed,
    wait_until,
)


def _owned(*members: GroupMember) -> list[int]:
    return [len(member.consumer.assignment()) for member in members]


def _settled_as(*counts: int, members: Sequence[GroupMember]) -> Callable[[], bool]:
    return lambda: sorted(_owned(*members)) == sorted(counts)


def _pair(feed: Feed, group: str, topic: str) -> list[GroupMember]:
    members = [GroupMember(feed, group, topic), GroupMember(feed, group, topic)]
    wait_until(_settled_as(2, 2, members=members), polling=members)
    return members


class GroupContract:
    @pytest.fixture
    def group(self) -> str:
        return f"g-{uuid4().hex[:12]}"

    def test_two_members_share_the_partitions_evenly_and_without_overlap(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        one, two = _pair(open_feed(), group, topic)

        assert one.consumer.assignment().isdisjoint(two.consumer.assignment())

    def test_every_record_goes_to_one_member_once_the_group_is_settled(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        one, two = members = _pair(feed, group, topic)
        records = make_records(200)
        outcomes = publish(feed, topic, records)

        wait_until(lambda: len(one.records) + len(two.records) >= 200, polling=members)

        assert places([*one.records, *two.records]) == ticketed(records, outcomes)
        assert {r.partition for r in one.records}.isdisjoint({r.partition for r in two.records})

    def test_a_newcomer_gets_only_what_others_gave_up(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        old = GroupMember(feed, group, topic)
        wait_until(_settled_as(4, members=[old]), polling=[old])

        new = GroupMember(feed, group, topic)
        wait_until(_settled_as(2, 2, members=[old, new]), polling=[old, new])

        assert old.listener.told("revoked") == new.consumer.assignment()
        assert old.listener.told("lost") == frozenset()
        assert new.listener.told("assigned") == new.consumer.assignment()

    def test_what_is_committed_while_being_revoked_counts(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(60))
        old = GroupMember(feed, group, topic)
        receive(old, 60)
        reached = positions_after(old.records)
        old.listener.before_revoked = lambda partitions: old.consumer.commit(
            {place: reached[place] for place in partitions}
        )

        new = GroupMember(feed, group, topic)
        wait_until(_settled_as(2, 2, members=[old, new]), polling=[old, new])

        held = feed.committed(group, topic)
        given_up = new.consumer.assignment()
        assert {TopicPartition(topic, n): held[n].position for n in held} == {
            place: reached[place] for place in given_up
        }
        assert new.poll() == []

    def test_what_was_not_committed_before_revocation_comes_to_the_new_owner(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(60))
        old = GroupMember(feed, group, topic)
        receive(old, 60)

        new = GroupMember(feed, group, topic)
        wait_until(_settled_as(2, 2, members=[old, new]), polling=[old, new])
        moved = new.consumer.assignment()
        expected = [r for r in old.records if TopicPartition(topic, r.partition) in moved]

        assert places(receive(new, len(expected))) == places(expected)

    def test_a_member_that_closes_leaves_at_once_and_commits_nothing(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        first, second = _pair(feed, group, topic)
        held = first.consumer.assignment()

        first.consumer.close()
        first.consumer.close()
        wait_until(_settled_as(4, members=[second]), polling=[second])

        assert first.listener.told("revoked") >= held
        assert feed.committed(group, topic) == {}
        wait_until(lambda: len(set(places(second.records))) == 40, polling=[second])

    def test_a_member_too_many_gets_nothing_and_stands_by(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        members = [GroupMember(feed, group, topic) for _ in range(5)]

        wait_until(_settled_as(1, 1, 1, 1, 0, members=members), polling=members)
        (spare,) = [member for member in members if not member.consumer.assignment()]
        (leaver, *stayers) = [member for member in members if member is not spare]
        leaver.consumer.close()

        wait_until(_settled_as(1, 1, 1, 1, members=[spare, *stayers]), polling=[spare, *stayers])

    def test_a_rebalance_forgets_a_pause(self, open_feed: OpenFeed, topic: str, group: str) -> None:
        feed = open_feed()
        old = GroupMember(feed, group, topic)
        wait_until(_settled_as(4, members=[old]), polling=[old])
        old.consumer.pause(old.consumer.assignment())
        new = GroupMember(feed, group, topic)
        wait_until(_settled_as(2, 2, members=[old, new]), polling=[old, new])
        moved = new.consumer.assignment()
        new.consumer.close()
        wait_until(_settled_as(4, members=[old]), polling=[old])

        publish(feed, topic, make_records(80))

        ends = {n: bounds.end for n, bounds in feed.bounds(topic).items()}
        expected = sum(ends[place.partition] for place in moved)
        wait_until(
            lambda: (
                sum(TopicPartition(topic, r.partition) in moved for r in old.records) == expected
            ),
            polling=[old],
        )

    def test_a_member_that_stops_polling_is_taken_over_and_fenced(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        sleeper, taker = members = _pair(feed, group, topic)
        wait_until(lambda: bool(sleeper.records), polling=members)
        lost = sleeper.consumer.assignment()

        wait_until(_settled_as(4, members=[taker]), polling=[taker])

        with pytest.raises(Fenced):
            sleeper.commit_all()
        assert feed.committed(group, topic) == {}
        wait_until(lambda: bool(sleeper.listener.told("lost")), polling=members)
        assert sleeper.listener.told("lost") == lost
        wait_until(_settled_as(2, 2, members=members), polling=members)

    def test_a_commit_of_one_partition_that_is_not_ours_commits_none(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        one, two = _pair(feed, group, topic)
        mine, theirs = min(one.consumer.assignment()), min(two.consumer.assignment())

        with pytest.raises(Fenced):
            one.consumer.commit({mine: 1, theirs: 1})

        assert feed.committed(group, topic) == {}

    def test_a_commit_before_the_first_poll_is_fenced(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        member = GroupMember(open_feed(), group, topic)

        with pytest.raises(Fenced):
            member.consumer.commit({TopicPartition(topic, 0): 0})

    def test_a_commit_of_where_the_group_stands_is_taken_and_moves_nothing(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        """A pin proves with it that the partition is its own (decision 28)."""
        feed = open_feed()
        publish(feed, topic, make_records(40))
        member = GroupMember(feed, group, topic)
        receive(member, 40)
        untouched = TopicPartition(topic, 0)
        handled = {
            place: at for place, at in positions_after(member.records).items() if place != untouched
        }
        member.consumer.commit(handled)

        for _ in range(2):
            member.consumer.commit({**handled, untouched: 0})

        held = feed.committed(group, topic)
        assert {TopicPartition(topic, part): each.position for part, each in held.items()} == {
            **handled,
            untouched: 0,
        }
        member.consumer.close()
        unhandled = [record for record in member.records if record.partition == 0]
        successor = GroupMember(feed, group, topic)
        assert places(receive(successor, len(unhandled))) == places(unhandled)

    def test_groups_do_not_know_of_each_other(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        publish(feed, topic, make_records(40))
        one, two = GroupMember(feed, group, topic), GroupMember(feed, f"{group}-2", topic)

        receive(one, 40)
        one.commit_all()

        assert places(receive(two, 40)) == places(one.records)
        assert feed.committed(f"{group}-2", topic) == {}

    def test_members_are_listed_with_what_they_read(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        members = _pair(feed, group, topic)

        listed = open_feed().members(group)

        assert len({member.id for member in listed}) == 2
        assert {member.partitions for member in listed} == {
            member.consumer.assignment() for member in members
        }
        assert open_feed().has_members(group)
        for member in members:
            member.consumer.close()
        wait_until(lambda: feed.members(group) == [])
        assert not open_feed().has_members(group)
        assert not feed.has_members(f"{group}-nobody")

    def test_positions_are_set_by_hand_only_while_the_group_has_no_members(
        self, open_feed: OpenFeed, topic: str, group: str
    ) -> None:
        feed = open_feed()
        records = make_records(40)
        publish(feed, topic, records)
        member = GroupMember(feed, group, topic)
        receive(member, 40)
        member.commit_all()
        starts = {TopicPartition(topic, n): 0 for n in range(4)}

        with pytest.raises(GroupActive, match=group):
            feed.set_committed(group, starts)
        member.consumer.close()
        wait_until(lambda: feed.members(group) == [])
        feed.set_committed(group, starts)

        assert {held.position for held in feed.committed(group, topic).values()} == {0}
        assert len(receive(GroupMember(feed, group, topic), 40)) == 40

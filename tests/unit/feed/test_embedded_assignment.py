"""Who reads what: balanced, settled once reached, moving as little as can be."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from feed.adapters.embedded.assignment import Subscription, assign
from feed.ports import TopicPartition

NAMES = ("ann", "bob", "cyn", "dan", "eve")
PARTITIONS = st.lists(
    st.builds(TopicPartition, st.sampled_from(["events", "history"]), st.integers(0, 9)),
    unique=True,
)


def _subscriptions(names: Sequence[str]) -> list[Subscription]:
    return [Subscription(name, frozenset({"events", "history"})) for name in names]


@st.composite
def _groups(draw: st.DrawFn) -> tuple[list[str], list[TopicPartition], dict[TopicPartition, str]]:
    members = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    partitions = draw(PARTITIONS)
    owners = {
        partition: owner
        for partition in partitions
        if (owner := draw(st.sampled_from([*NAMES, None]))) is not None
    }
    return members, partitions, owners


Group = tuple[list[str], list[TopicPartition], dict[TopicPartition, str]]


@given(_groups())
def test_every_partition_has_an_owner_among_the_members(group: Group) -> None:
    members, partitions, owners = group

    target = assign(_subscriptions(members), partitions, owners)

    assert target.keys() == set(partitions)
    assert set(target.values()) <= set(members)


@given(_groups())
def test_members_differ_by_one_partition_of_a_topic_at_most(group: Group) -> None:
    members, partitions, owners = group

    target = assign(_subscriptions(members), partitions, owners)

    for topic in {partition.topic for partition in partitions}:
        counts = Counter(dict.fromkeys(members, 0))
        counts.update(owner for partition, owner in target.items() if partition.topic == topic)
        assert max(counts.values()) - min(counts.values()) <= 1


@given(_groups())
def test_an_assignment_that_is_reached_is_its_own_target(group: Group) -> None:
    members, partitions, owners = group

    target = assign(_subscriptions(members), partitions, owners)

    assert assign(_subscriptions(members), partitions, target) == target


@given(_groups())
def test_only_what_is_too_much_moves(group: Group) -> None:
    members, partitions, owners = group

    target = assign(_subscriptions(members), partitions, owners)

    for topic in {partition.topic for partition in partitions}:
        share = -(-sum(p.topic == topic for p in partitions) // len(members))
        for member in members:
            held = [p for p, owner in owners.items() if owner == member and p.topic == topic]
            kept = [p for p in held if target[p] == member]
            assert len(kept) >= min(len(held), share - 1)


@given(_groups(), st.randoms())
def test_members_that_act_alone_in_any_order_reach_a_settled_state(
    group: Group, random: Random
) -> None:
    members, partitions, owners = group
    for _ in range(3 * len(members)):
        member = random.choice(members)
        owners = _acted(member, members, partitions, owners)
    for _ in range(2):
        for member in members:
            owners = _acted(member, members, partitions, owners)

    assert assign(_subscriptions(members), partitions, owners) == owners


def _acted(
    member: str,
    members: Sequence[str],
    partitions: Sequence[TopicPartition],
    owners: Mapping[TopicPartition, str],
) -> dict[TopicPartition, str]:
    """The owners after one member gave up and took its part; owners that left are freed first."""
    held = {partition: owner for partition, owner in owners.items() if owner in members}
    target = assign(_subscriptions(members), partitions, held)
    held = {p: owner for p, owner in held.items() if owner != member or target[p] == member}
    target = assign(_subscriptions(members), partitions, held)
    return held | {p: member for p, owner in target.items() if owner == member and p not in held}


def test_a_topic_that_nobody_reads_has_no_owners() -> None:
    reader = Subscription("ann", frozenset({"history"}))

    assert assign([reader], [TopicPartition("events", 0)], {}) == {}


def test_members_of_several_topics_are_balanced_over_all_of_them() -> None:
    partitions = [TopicPartition(topic, 0) for topic in ("changes", "events", "history")]
    subscriptions = [
        Subscription(name, frozenset({"changes", "events", "history"}))
        for name in ("ann", "bob", "cyn")
    ]

    target = assign(subscriptions, partitions, {})

    assert sorted(target.values()) == ["ann", "bob", "cyn"]

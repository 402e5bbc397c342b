"""Who should read what: a pure function of members, partitions and present owners. Knows no
file."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from feed.ports import TopicPartition


@dataclass(frozen=True, slots=True)
class Subscription:
    """A member and the topics it reads."""

    member: str
    topics: frozenset[str]


def assign(
    subscriptions: Sequence[Subscription],
    partitions: Collection[TopicPartition],
    owners: Mapping[TopicPartition, str],
) -> dict[TopicPartition, str]:
    """The owner that each partition should have: balanced to one within a topic, moving as few as
    can be.

    Every member computes this alone from the same rows (`subscriptions` in order of joining) and
    takes or gives up what is its own part: an assignment that is reached is its own target.
    """
    target: dict[TopicPartition, str] = {}
    load: Counter[str] = Counter()
    for topic in sorted({partition.topic for partition in partitions}):
        members = [item.member for item in subscriptions if topic in item.topics]
        of_topic = sorted(partition for partition in partitions if partition.topic == topic)
        if members:
            part = _assign_topic(members, of_topic, owners, load)
            load.update(part.values())
            target |= part
    return target


def _assign_topic(
    members: Sequence[str],
    partitions: Sequence[TopicPartition],
    owners: Mapping[TopicPartition, str],
    load: Mapping[str, int],
) -> dict[TopicPartition, str]:
    held: dict[str, list[TopicPartition]] = {member: [] for member in members}
    for partition in partitions:
        held.get(owners.get(partition, ""), []).append(partition)
    order = sorted(members, key=lambda member: (-len(held[member]), load.get(member, 0)))
    share, extra = divmod(len(partitions), len(members))
    target: dict[TopicPartition, str] = {}
    room: list[str] = []
    for rank, member in enumerate(order):
        quota = share + (rank < extra)
        kept = held[member][:quota]
        target |= dict.fromkeys(kept, member)
        room += [member] * (quota - len(kept))
    free = [partition for partition in partitions if partition not in target]
    return target | dict(zip(free, room, strict=True))

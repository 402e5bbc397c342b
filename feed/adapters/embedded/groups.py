"""The groups' file: members, leases on partitions, committed positions. Each method is one
transaction.

A lease's epoch rises with every change of owner; a commit that carries an older one is refused.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from feed.adapters.embedded.assignment import Subscription, assign
from feed.errors import Fenced, GroupActive
from feed.ports import Committed, TopicPartition
from feed.sqlite import Connection, reading, rows, writing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS members (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    member TEXT NOT NULL UNIQUE,
    grp TEXT NOT NULL,
    topics TEXT NOT NULL,
    beat INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS leases (
    grp TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    owner TEXT,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (grp, topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (
    grp TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    position INTEGER NOT NULL,
    committed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (grp, topic, partition)
) WITHOUT ROWID;
"""
_COMMIT = """
INSERT INTO positions VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET position = excluded.position, committed_at_ms = excluded.committed_at_ms
"""
_ACQUIRE = """
INSERT INTO leases VALUES (?, ?, ?, ?, 1)
ON CONFLICT DO UPDATE SET owner = excluded.owner, epoch = epoch + 1
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who owns a partition within a group (None: nobody), for the how-manieth time."""

    owner: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class GroupState:
    """One group as of one moment; members in order of joining."""

    subscriptions: tuple[Subscription, ...]
    beats: Mapping[str, int]
    leases: Mapping[TopicPartition, Lease]

    def owners(self) -> dict[TopicPartition, str]:
        """Owned partitions and their owners."""
        return {
            partition: lease.owner
            for partition, lease in self.leases.items()
            if lease.owner is not None
        }


class GroupFile:
    """The groups' file through one connection, used by one thread at a time."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def make(self) -> None:
        """Make the tables; idempotent."""
        with writing(self.connection):
            self.connection.execute(_SCHEMA)

    def join(self, group: str, member: str, topics: Collection[str]) -> None:
        """Add a member, which owns nothing yet."""
        with writing(self.connection):
            self.connection.execute(
                "INSERT INTO members (member, grp, topics) VALUES (?, ?, ?)",
                (member, group, json.dumps(sorted(topics))),
            )

    def beat(self, member: str) -> bool:
        """Give a sign of life; False when the member was expelled."""
        with writing(self.connection):
            self.connection.execute(
                "UPDATE members SET beat = beat + 1 WHERE member = ?", (member,)
            )
            return self.connection.changes() == 1

    def state(self, group: str) -> GroupState:
        """The group as it is now."""
        with reading(self.connection):
            return self._state(group)

    def _state(self, group: str) -> GroupState:
        members = rows(
            self.connection,
            "SELECT member, topics, beat FROM members WHERE grp = ? ORDER BY number",
            (group,),
        )
        leases = rows(
            self.connection,
            "SELECT topic, partition, owner, epoch FROM leases WHERE grp = ?",
            (group,),
        )
        return GroupState(
            tuple(
                Subscription(member, frozenset(json.loads(topics))) for member, topics, _ in members
            ),
            {member: beat for member, _, beat in members},
            {
                TopicPartition(topic, partition): Lease(owner, epoch)
                for topic, partition, owner, epoch in leases
            },
        )

    def acquire(
        self, group: str, member: str, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Take what nobody owns and `assign` gives to this member; the new epochs."""
        with writing(self.connection):
            state = self._state(group)
            owned = state.owners()
            target = assign(state.subscriptions, partitions, owned)
            free = [
                partition
                for partition, owner in target.items()
                if owner == member and partition not in owned
            ]
            self.connection.executemany(
                _ACQUIRE, [(group, *partition, member) for partition in free]
            )
            return {partition: self._lease(group, partition).epoch for partition in free}

    def release(self, group: str, member: str, partitions: Iterable[TopicPartition]) -> None:
        """Give up those of `partitions` that the member still owns."""
        with writing(self.connection):
            self.connection.executemany(
                "UPDATE leases SET owner = NULL, epoch = epoch + 1 "
                "WHERE grp = ? AND topic = ? AND partition = ? AND owner = ?",
                [(group, *partition, member) for partition in partitions],
            )

    def leave(self, member: str) -> None:
        """Remove a member and free what it owns."""
        with writing(self.connection):
            self._remove(member)

    def expel(self, member: str, *, beat: int) -> bool:
        """Remove a member that stood still at `beat`; False when it has moved since."""
        with writing(self.connection):
            found = self.connection.execute(
                "SELECT beat FROM members WHERE member = ?", (member,)
            ).get
            if found != beat:
                return False
            self._remove(member)
            return True

    def _remove(self, member: str) -> None:
        self.connection.execute(
            "UPDATE leases SET owner = NULL, epoch = epoch + 1 WHERE owner = ?", (member,)
        )
        self.connection.execute("DELETE FROM members WHERE member = ?", (member,))

    def commit(
        self,
        group: str,
        member: str,
        positions: Mapping[TopicPartition, int],
        *,
        epochs: Mapping[TopicPartition, int],
        now_ms: int,
    ) -> None:
        """All positions or none. Raises Fenced when one lease is not the member's at its epoch."""
        with writing(self.connection):
            for partition in positions:
                lease = self._lease(group, partition)
                if lease != Lease(member, epochs.get(partition, 0)):
                    raise Fenced(
                        f"group {group} lost {partition.topic}[{partition.partition}]: "
                        f"{lease.owner or 'nobody'} owns it at epoch {lease.epoch}, not {member}"
                    )
            self._write(group, positions, now_ms=now_ms)

    def _lease(self, group: str, partition: TopicPartition) -> Lease:
        found = rows(
            self.connection,
            "SELECT owner, epoch FROM leases WHERE grp = ? AND topic = ? AND partition = ?",
            (group, *partition),
        )
        return Lease(*found[0]) if found else Lease(None, 0)

    def _write(self, group: str, positions: Mapping[TopicPartition, int], *, now_ms: int) -> None:
        self.connection.executemany(
            _COMMIT,
            [(group, *partition, position, now_ms) for partition, position in positions.items()],
        )

    def set_committed(
        self,
        group: str,
        positions: Mapping[TopicPartition, int],
        *,
        now_ms: int,
        is_dead: Callable[[str], bool],
    ) -> None:
        """Write positions of a group without living members; dead ones are expelled. Raises
        GroupActive."""
        with writing(self.connection):
            members = list(self._state(group).beats)
            alive = [member for member in members if not is_dead(member)]
            if alive:
                raise GroupActive(
                    f"group {group} has {len(alive)} active members ({', '.join(alive)}): "
                    "stop them before its positions are set by hand"
                )
            for member in members:
                self._remove(member)
            self._write(group, positions, now_ms=now_ms)

    def committed(self, group: str, topic: str) -> dict[int, Committed]:
        """Committed positions by partition."""
        found = rows(
            self.connection,
            "SELECT partition, position, committed_at_ms FROM positions "
            "WHERE grp = ? AND topic = ?",
            (group, topic),
        )
        return {
            partition: Committed(position, committed_at_ms)
            for partition, position, committed_at_ms in found
        }

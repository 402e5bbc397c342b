"""One member's part in its group: join, beat, watch the others, take and give up partitions."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from feed import crash_points
from feed.adapters.embedded.assignment import assign
from feed.adapters.embedded.files import GROUPS_FILE, MEMBERS_FOLDER, open_existing, unavailable
from feed.adapters.embedded.groups import GroupFile, GroupState
from feed.adapters.embedded.liveness import (
    MemberLock,
    Observer,
    forget_locks,
    is_dead,
    new_member_id,
)
from feed.adapters.embedded.options import Options
from feed.clock import Clock
from feed.errors import FeedUnavailable
from feed.ports import RebalanceListener, TopicPartition

logger = logging.getLogger(__name__)
BEATS_A_LEASE = 6


class Heart(threading.Thread):
    """Beats for one member while its consumer polls often enough, however long a batch takes."""

    def __init__(
        self, folder: Path, member: str, options: Options, monotonic_s: Callable[[], float]
    ) -> None:
        super().__init__(name=f"feed-heart-{member}", daemon=True)
        self._folder, self._member = folder, member
        self._every_s = options.lease_s / BEATS_A_LEASE
        self._max_poll_s = options.max_poll_s
        self._monotonic_s = monotonic_s
        self._polled_at = monotonic_s()
        self._stopped = threading.Event()

    def polled(self) -> None:
        """The consumer is there."""
        self._polled_at = self._monotonic_s()

    def stop(self) -> None:
        """End the thread; idempotent."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        groups: GroupFile | None = None
        while not self._stopped.wait(self._every_s):
            if self._monotonic_s() - self._polled_at > self._max_poll_s:
                continue
            try:
                groups = groups or GroupFile(open_existing(self._folder / GROUPS_FILE))
                with unavailable("cannot beat"):
                    if not groups.beat(self._member):
                        break
            except FeedUnavailable as exc:
                logger.warning("no heartbeat: %s", exc, extra={"action": "heartbeat_failed"})
        if groups is not None:
            groups.connection.close(True)


class Membership:
    """The leases that one consumer holds. `tick` tells its listener of every change."""

    def __init__(
        self,
        folder: Path,
        options: Options,
        *,
        group: str,
        topics: Collection[str],
        listener: RebalanceListener,
        clock: Clock,
    ) -> None:
        self._folder, self._options, self._group = folder, options, group
        self._topics, self._listener, self._clock = frozenset(topics), listener, clock
        self._observer = Observer(lease_s=options.lease_s, clock=clock)
        self._member = ""
        self._lock: MemberLock | None = None
        self._heart: Heart | None = None
        self._ticked_at = float("-inf")
        self.epochs: dict[TopicPartition, int] = {}
        """The partitions that are ours, and the epochs of their leases."""

    @property
    def member(self) -> str:
        """This member's id; empty before it joined."""
        return self._member

    def is_due(self) -> bool:
        """Whether the group must be looked at even if nothing in its file changed."""
        return self._clock.monotonic_s() - self._ticked_at > self._options.lease_s / BEATS_A_LEASE

    def polled(self) -> None:
        """The consumer polls: its heart may go on."""
        if self._heart is not None:
            self._heart.polled()

    def tick(self, groups: GroupFile, partitions: Collection[TopicPartition]) -> None:
        """Look at the group once: join, expel the dead, give up and take partitions."""
        self._ticked_at = self._clock.monotonic_s()
        if not self._member:
            self._join(groups)
        state = groups.state(self._group)
        if self._member not in state.beats:
            self._lose(frozenset(self.epochs))
            self._end()
            self._join(groups)
            state = groups.state(self._group)
        if self._expel(groups, state):
            state = groups.state(self._group)
        self._lose(_not_held(self.epochs, state, self._member))
        target = assign(state.subscriptions, partitions, state.owners())
        self._give_up(groups, frozenset(p for p in self.epochs if target.get(p) != self._member))
        self._take(groups, target, partitions)

    def _join(self, groups: GroupFile) -> None:
        member = new_member_id()
        lock = MemberLock(self._folder / MEMBERS_FOLDER, member)
        try:
            groups.join(self._group, member, self._topics)
        except BaseException:
            lock.release()
            raise
        self._member, self._lock = member, lock
        self._heart = Heart(self._folder, member, self._options, self._clock.monotonic_s)
        self._heart.start()

    def _expel(self, groups: GroupFile, state: GroupState) -> bool:
        others = {member: beat for member, beat in state.beats.items() if member != self._member}
        gone = self._observer.expired(others.items())
        folder = self._folder / MEMBERS_FOLDER
        gone |= {member: beat for member, beat in others.items() if is_dead(folder, member)}
        expelled = [member for member, beat in gone.items() if groups.expel(member, beat=beat)]
        forget_locks(folder, expelled)
        for member in expelled:
            logger.warning(
                "expelled a member of group %s that gave no sign of life: %s",
                self._group,
                member,
                extra={"action": "member_expelled"},
            )
        return bool(expelled)

    def _lose(self, lost: frozenset[TopicPartition]) -> None:
        if lost:
            for partition in lost:
                del self.epochs[partition]
            self._listener.on_lost(lost)

    def _give_up(self, groups: GroupFile, partitions: frozenset[TopicPartition]) -> None:
        if partitions:
            self._listener.on_revoked(partitions)
            groups.release(self._group, self._member, partitions)
            crash_points.reach("groups.after_release")
            for partition in partitions:
                self.epochs.pop(partition, None)

    def _take(
        self,
        groups: GroupFile,
        target: Mapping[TopicPartition, str],
        partitions: Collection[TopicPartition],
    ) -> None:
        mine = {partition for partition, owner in target.items() if owner == self._member}
        if mine - self.epochs.keys():
            taken = groups.acquire(self._group, self._member, partitions)
            crash_points.reach("groups.after_acquire")
            if taken:
                self.epochs |= taken
                self._listener.on_assigned(frozenset(taken))

    def leave(self, groups: GroupFile) -> None:
        """Give everything up and leave the group; what is already another's is lost. Idempotent."""
        if not self._member:
            return
        try:
            self._lose(_not_held(self.epochs, groups.state(self._group), self._member))
            self._give_up(groups, frozenset(self.epochs))
            groups.leave(self._member)
        finally:
            self._end()

    def _end(self) -> None:
        """No longer this member: let the kernel and the heart know."""
        if self._heart is not None:
            self._heart.stop()
        if self._lock is not None:
            self._lock.release()
        self.epochs.clear()
        self._member, self._lock, self._heart = "", None, None


def _not_held(
    epochs: Mapping[TopicPartition, int], state: GroupState, member: str
) -> frozenset[TopicPartition]:
    return frozenset(
        partition
        for partition, epoch in epochs.items()
        if (lease := state.leases.get(partition)) is None
        or (lease.owner, lease.epoch) != (member, epoch)
    )

"""The loop over its lanes: drains, stops, shares, spacing."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from feed.adapters.embedded import EmbeddedFeed
from feed.consumer import Lane
from feed.deliveries import Delivery, Poison
from feed.lanes import FEWEST_RECORDS
from feed.loop import ConsumeLoop
from feed.topics import Group, Topic
from tests.fakes import FakeClock
from tests.stack import wait_until
from tests.unit.feed.loops import (
    Keeper,
    backpressure,
    history,
    live,
    open_test_feed,
    position,
    publish_events,
)


@dataclass
class Logging(Keeper):
    """A keeper that writes its name into a common log, and how large each batch is."""

    name: str = ""
    log: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
        self.log.append(self.name)
        self.sizes.append(len(list(batch)))
        return super().handle(batch)


def drain(feed: EmbeddedFeed, *lanes: Lane) -> None:
    ConsumeLoop(feed, lanes, stop=threading.Event(), once=True).run()


@contextmanager
def running(feed: EmbeddedFeed, *lanes: Lane) -> Iterator[threading.Event]:
    """The loop in a thread of its own; stopped and joined at the end."""
    stop = threading.Event()
    thread = threading.Thread(target=ConsumeLoop(feed, lanes, stop=stop).run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_a_drain_handles_what_is_there_and_returns(tmp_path: Path) -> None:
    feed = open_test_feed(tmp_path, partitions=3)
    publish_events(feed, 50)
    keeper = Keeper()
    drain(feed, live(keeper, batch_records=7))
    lag = sum(bounds.end for bounds in feed.bounds(Topic.EVENTS).values()) - sum(
        held.position for held in feed.committed(Group.SINK, Topic.EVENTS).values()
    )
    members = feed.members(Group.SINK)
    feed.close()
    assert sorted(keeper.handled) == sorted(f"e-{n}" for n in range(50))
    assert lag == 0
    assert members == []


def test_a_drain_of_an_empty_topic_returns_at_once(feed: EmbeddedFeed) -> None:
    keeper = Keeper()
    drain(feed, live(keeper))
    assert keeper.batches == 0


def test_a_drain_covers_both_lanes(feed: EmbeddedFeed) -> None:
    publish_events(feed, 5)
    publish_events(feed, 9, topic=Topic.HISTORY, prefix="h")
    of_live, of_history = Keeper(), Keeper()
    drain(feed, live(of_live), history(of_history, batch_records=2))
    assert (len(of_live.handled), len(of_history.handled)) == (5, 9)


def test_a_drain_ends_although_events_keep_coming(feed: EmbeddedFeed) -> None:
    class Feeding(Keeper):
        """Every batch it handles causes another event."""

        def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
            publish_events(feed, 1, prefix=f"more-{self.batches}")
            return super().handle(batch)

    publish_events(feed, 3)
    keeper = Feeding()
    drain(feed, live(keeper))
    assert keeper.handled[:3] == ["e-0", "e-1", "e-2"]


def test_a_drain_beside_another_member_returns_when_the_group_has_passed_the_end(
    tmp_path: Path,
) -> None:
    feed = open_test_feed(tmp_path, partitions=1)
    first, second = Keeper(), Keeper()
    with running(feed, live(first)):
        wait_until("the first member reads", lambda: bool(feed.members(Group.SINK)))
        publish_events(feed, 20)
        drain(feed, live(second))
        assert position(feed, live(first)) == 20
    feed.close()
    assert len(first.handled) + len(second.handled) >= 20


def test_a_drain_waits_for_a_store_that_is_away(feed: EmbeddedFeed) -> None:
    publish_events(feed, 3)
    keeper = Keeper(troubles=[backpressure(), backpressure()])
    drain(feed, live(keeper))
    assert keeper.handled == ["e-0", "e-1", "e-2"]


def test_a_stop_in_the_middle_of_a_batch_lets_it_be_committed(feed: EmbeddedFeed) -> None:
    publish_events(feed, 9)
    stop = threading.Event()

    class Stopping(Keeper):
        """The stop comes while it handles."""

        def handle(self, batch: Iterable[Delivery]) -> Sequence[Poison]:
            stop.set()
            return super().handle(batch)

    keeper = Stopping()
    ConsumeLoop(feed, [live(keeper, batch_records=4)], stop=stop).run()
    assert keeper.handled == ["e-0", "e-1", "e-2", "e-3"]
    assert position(feed, live(keeper)) == 4
    assert feed.members(Group.SINK) == []


def test_a_stop_is_obeyed_while_waiting_for_a_store(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    keeper = Keeper(troubles=[backpressure(retry_after_s=1_000)])
    with running(feed, live(keeper)):
        wait_until("the store said not now", lambda: keeper.batches == 1)
    assert position(feed, live(keeper)) == 0


def test_every_commit_is_progress(feed: EmbeddedFeed) -> None:
    publish_events(feed, 6)
    commits: list[int] = []
    ConsumeLoop(
        feed,
        [live(Keeper(), batch_records=2)],
        stop=threading.Event(),
        once=True,
        on_commit=lambda: commits.append(1),
    ).run()
    assert len(commits) == 3


def test_live_goes_first_and_the_lanes_take_turns_while_live_is_near(feed: EmbeddedFeed) -> None:
    publish_events(feed, 30)
    publish_events(feed, 30, topic=Topic.HISTORY, prefix="h")
    log: list[str] = []
    drain(
        feed,
        live(Logging(name="live", log=log), batch_records=10),
        history(Logging(name="history", log=log), batch_records=10),
    )
    assert log == ["live", "history"] * 3


def test_while_live_has_work_history_begins_with_few_records(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    publish_events(feed, FEWEST_RECORDS + 1, topic=Topic.HISTORY, prefix="h")
    keeper = Logging(name="history")
    drain(feed, live(Keeper()), history(keeper, batch_records=4_000))
    assert keeper.sizes == [FEWEST_RECORDS, 1]


def test_history_does_not_press_a_store_that_live_waits_for(feed: EmbeddedFeed) -> None:
    publish_events(feed, 1)
    publish_events(feed, 1, topic=Topic.HISTORY, prefix="h")
    log: list[str] = []
    troubled = Logging(name="live", log=log, troubles=[backpressure(), backpressure()])
    drain(feed, live(troubled), history(Logging(name="history", log=log)))
    assert log == ["live", "live", "live", "history"]


def test_a_backlog_of_live_leaves_history_its_floor(feed: EmbeddedFeed) -> None:
    publish_events(feed, 40)
    publish_events(feed, 4, topic=Topic.HISTORY, prefix="h")
    log: list[str] = []
    fake = FakeClock(elapsed_s=10_000_000.0)  # the records were appended long before this clock
    stop = threading.Event()
    loop = ConsumeLoop(
        feed,
        [
            live(Logging(name="L", log=log), batch_records=1),
            history(Logging(name="H", log=log), batch_records=1),
        ],
        stop=stop,
        on_commit=lambda: stop.set() if len(log) >= 34 else None,
        clock=type(fake.clock)(fake.clock.monotonic_s, lambda: 2**45),
    )
    loop.run()
    assert "".join(log).startswith("LH" + "LLLLLLLLLLH" * 2)


class Stop(threading.Event):
    """Notes what it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return super().wait(0)


def test_turns_that_find_little_are_spaced_and_full_ones_are_not(feed: EmbeddedFeed) -> None:
    publish_events(feed, 21)
    stop, fake = Stop(), FakeClock()
    keeper = Keeper()
    keeper_lane = replace(live(keeper, batch_records=20), little_records=2)
    ConsumeLoop(
        feed,
        [keeper_lane],
        stop=stop,
        on_commit=lambda: stop.set() if keeper.batches == 2 else None,
        clock=fake.clock,
    ).run()
    assert len(keeper.handled) == 21
    assert stop.waits == [keeper_lane.spacing_s]

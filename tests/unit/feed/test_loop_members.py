"""Members of a group come and go while records are handled: none is skipped."""

import random
from pathlib import Path

from feed.topics import Group, Topic
from tests.unit.feed.loops import Keeper, live, open_test_feed, publish_events
from tests.unit.feed.test_loop import drain, running

ROUNDS = 6
EVENTS_A_ROUND = 60


def test_members_that_come_and_go_leave_no_record_unhandled(tmp_path: Path) -> None:
    feed = open_test_feed(tmp_path, partitions=5)
    keepers = [Keeper() for _ in range(3)]
    sent: list[str] = []
    with running(feed, live(keepers[0], batch_records=5)):
        for round_number in range(ROUNDS):
            newcomer = random.choice(keepers[1:])
            with running(feed, live(newcomer, batch_records=5)):
                prefix = f"round-{round_number}"
                publish_events(feed, EVENTS_A_ROUND, prefix=prefix)
                sent += [f"{prefix}-{n}" for n in range(EVENTS_A_ROUND)]
    last = Keeper()
    drain(feed, live(last))
    handled = {each for keeper in [*keepers, last] for each in keeper.handled}
    committed = feed.committed(Group.SINK, Topic.EVENTS)
    ends = {partition: bounds.end for partition, bounds in feed.bounds(Topic.EVENTS).items()}
    feed.close()
    assert handled == set(sent)
    assert {partition: held.position for partition, held in committed.items()} == ends

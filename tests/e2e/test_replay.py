"""Replays through real processes: a damaged view is restored, a killed replayer goes on, nothing
counts twice. Embedded engines here; test_replay_engines.py is the same on real ones."""

import random
from pathlib import Path

import apsw
import pytest

from feed.adapters.embedded import open_feed
from feed.topics import Topic
from tests.e2e.replays import Past, past
from tests.stack import wait_until

COUNT = 6_000
KILLED_EPS = 2_000
"""Slow enough for several checkpoints: the second one is a place to be killed at, too."""
CRASH_POINTS = (
    "replay.after_claim",
    "replay.after_fence",
    "replay.after_publish",
    "replay.after_ack",
    "replay.before_save",
    "replay.after_save",
    "replay.before_drain",
    "replay.before_note",
)


def damage(world: Past) -> None:
    """Delete a third of the documents by hand, and change another."""
    connection = apsw.Connection(
        str(world.stack.data_dir / "timeseries" / "generation-1.sqlite"),
    )
    connection.set_busy_timeout(20_000)
    connection.execute("DELETE FROM docs WHERE event_id = 1")
    connection.execute("UPDATE docs SET user_id = 'nobody', s0 = 5.0 WHERE event_id = 2")
    connection.close()


def emitted_keys(world: Past) -> list[bytes]:
    """Keys of every record of topic history."""
    feed = open_feed("embedded:", {}, world.stack.data_dir)
    reader = feed.reader(Topic.HISTORY, from_end=False)
    found: list[bytes] = []
    while records := reader.poll(10_000, timeout_s=0.5):
        found += [record.key for record in records]
    reader.close()
    feed.close()
    return found


def test_a_damaged_view_is_restored_and_a_second_replay_changes_nothing(tmp_path: Path) -> None:
    with past(tmp_path, COUNT) as world:
        before = world.figures()
        damage(world)
        assert world.figures() != before
        world.stack.start("projector")
        world.stack.start("replayer")

        first = world.wait_for(world.replay(), "completed", "completed_with_errors", "failed")
        restored = world.figures()
        second = world.wait_for(world.replay(), "completed", "completed_with_errors", "failed")

        for replay in (first, second):
            progress = replay["progress"]
            assert replay["state"] == "completed"
            assert progress["estimated"] == progress["emitted"] == progress["projected"] == COUNT
        assert restored == before
        assert world.figures() == before
        assert world.stack.stop("replayer") == 0
        assert world.stack.stop("projector") == 0


def test_two_replayers_at_work_on_two_replays_that_overlap_do_no_harm(tmp_path: Path) -> None:
    with past(tmp_path, COUNT) as world:
        before = world.figures()
        damage(world)
        replays = [world.replay(max_eps=1_000), world.replay(max_eps=1_000)]
        world.stack.start("projector")
        for name in ("replayer", "replayer-2"):
            world.stack.start(name, command="replayer")

        def both_are_emitted() -> bool:
            found = [world.shown(replay) for replay in replays]
            return all(
                each["worker"] == "alive" and each["progress"]["emitted"] > 0 for each in found
            )

        wait_until("both are emitted at the same time", both_are_emitted)
        done = [world.wait_for(each, "completed", "failed") for each in replays]

        assert [each["state"] for each in done] == ["completed"] * 2
        for each in done:
            assert each["progress"]["emitted"] == each["progress"]["projected"] == COUNT
        assert world.figures() == before


def crash(world: Past, point: str, nth: int) -> None:
    """A replay whose replayer is killed at the point; another goes on to the end."""
    stack = world.stack
    stack.start("replayer", crash_point=f"{point}:{nth}")
    replay = world.replay(max_eps=KILLED_EPS)
    wait_until(f"the replayer dies at {point}", lambda: not stack.is_running("replayer"))
    stack.kill("replayer")
    stack.start("replayer")
    done = world.wait_for(replay, "completed", "completed_with_errors", "failed")
    stack.kill("replayer")

    progress = done["progress"]
    assert done["state"] == "completed", done
    assert progress["estimated"] == progress["emitted"] == progress["projected"] == COUNT
    assert len(set(emitted_keys(world))) == COUNT


def test_a_replayer_killed_at_named_points_is_followed_by_another(
    tmp_path: Path, fault_seed: int
) -> None:
    rng = random.Random(fault_seed)
    with past(tmp_path, COUNT) as world:
        before = world.figures()
        damage(world)
        world.stack.start("projector")
        for point in rng.sample(CRASH_POINTS, 2):
            crash(world, point, nth=1)
        assert world.figures() == before


@pytest.mark.faults
def test_killed_at_every_named_point(tmp_path: Path) -> None:
    with past(tmp_path, COUNT) as world:
        before = world.figures()
        damage(world)
        world.stack.start("projector")
        for point in CRASH_POINTS:
            for nth in (1, 2) if point in CRASH_POINTS[2:6] else (1,):
                crash(world, point, nth=nth)
        assert world.figures() == before

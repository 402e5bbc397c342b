"""The keeper's thread: it keeps what comes, bears what fails, and never holds up a shutdown."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError

from feed.dead_letters import to_record
from feed.errors import FeedUnavailable
from feed.ports import Feed
from feed.topics import Group, Topic
from operations import dead_letter_keeper
from operations.dead_letter_keeper import DeadLetterKeeper
from operations.dead_letter_rows import DeadLetterRow
from operations.dead_letters import keep
from tests.local_pipeline import LocalPipeline
from tests.unit.operations.test_dead_letters import make_letter

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT_S = 30.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter_keeper, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(dead_letter_keeper, "POLL_S", 0.05)


@pytest.fixture
def keepers() -> Iterator[list[DeadLetterKeeper]]:
    """Whatever a test started is stopped."""
    started: list[DeadLetterKeeper] = []
    yield started
    for keeper in started:
        keeper.stop()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not come to pass"
        threading.Event().wait(0.02)


def publish_letters(pipeline: LocalPipeline, *ids: str) -> None:
    letters = [to_record(make_letter(id=each)) for each in ids]
    pipeline.publish(Topic.DEAD_LETTERS, letters)


def has_passed_all(feed: Feed) -> bool:
    held = feed.committed(Group.DEAD_LETTER_KEEPER, Topic.DEAD_LETTERS)
    return all(
        bounds.end == 0 or (partition in held and held[partition].position == bounds.end)
        for partition, bounds in feed.bounds(Topic.DEAD_LETTERS).items()
    )


def kept() -> list[str]:
    return sorted(DeadLetterRow.objects.values_list("id", flat=True))


def test_letters_are_kept_as_they_come_and_committed_after(
    pipeline: LocalPipeline, keepers: list[DeadLetterKeeper]
) -> None:
    keepers.append(DeadLetterKeeper())
    keepers[0].start()
    publish_letters(pipeline, "a", "b")
    wait_until(lambda: has_passed_all(pipeline.feed))
    publish_letters(pipeline, "c")
    wait_until(lambda: has_passed_all(pipeline.feed))
    keepers[0].stop()
    assert kept() == ["a", "b", "c"]
    assert not pipeline.feed.members(Group.DEAD_LETTER_KEEPER)


def test_a_database_and_a_feed_that_fail_for_a_while_lose_nothing(
    pipeline: LocalPipeline, keepers: list[DeadLetterKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles: list[Exception] = [
        FeedUnavailable(), OperationalError("locked"), RuntimeError("a bug"),
    ]  # fmt: skip
    faults = iter(troubles)

    def failing_keep(records: object) -> None:
        for trouble in faults:
            raise trouble
        keep(records)  # type: ignore[arg-type]  # what the keeper gives

    feeds = iter([FeedUnavailable("not yet")])

    def failing_feed() -> Feed:
        for trouble in feeds:
            raise trouble
        return pipeline.feed

    monkeypatch.setattr(dead_letter_keeper, "keep", failing_keep)
    publish_letters(pipeline, "a", "b")
    keepers.append(DeadLetterKeeper(failing_feed))
    keepers[0].start()
    wait_until(lambda: has_passed_all(pipeline.feed))
    keepers[0].stop()
    assert kept() == ["a", "b"]
    assert not list(faults), "every trouble was met"


def test_two_keepers_share_the_work_and_keep_each_letter_once(
    pipeline: LocalPipeline, keepers: list[DeadLetterKeeper]
) -> None:
    ids = sorted(f"letter-{number}" for number in range(60))
    for _ in range(2):
        keepers.append(DeadLetterKeeper())
        keepers[-1].start()
    wait_until(lambda: len(pipeline.feed.members(Group.DEAD_LETTER_KEEPER)) == 2)
    publish_letters(pipeline, *ids)
    wait_until(lambda: has_passed_all(pipeline.feed))
    for keeper in keepers:
        keeper.stop()
    assert kept() == ids


def test_a_keeper_that_hangs_does_not_hold_up_the_shutdown(
    pipeline: LocalPipeline, keepers: list[DeadLetterKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_hanging, let_go = threading.Event(), threading.Event()

    def hanging_keep(records: object) -> None:
        is_hanging.set()
        let_go.wait(LIMIT_S)
        raise OperationalError("gone")

    monkeypatch.setattr(dead_letter_keeper, "keep", hanging_keep)
    monkeypatch.setattr(dead_letter_keeper, "STOP_LIMIT_S", 0.05)
    publish_letters(pipeline, "a")
    keeper = DeadLetterKeeper()
    keeper.start()
    assert is_hanging.wait(LIMIT_S)
    keeper.stop()
    assert not has_passed_all(pipeline.feed), "nothing was committed"
    let_go.set()
    monkeypatch.setattr(dead_letter_keeper, "STOP_LIMIT_S", LIMIT_S)
    keeper.stop()
    assert not pipeline.feed.members(Group.DEAD_LETTER_KEEPER)


def test_a_keeper_that_waits_stops_at_once(keepers: list[DeadLetterKeeper]) -> None:
    was_asked = threading.Event()

    def no_feed() -> Feed:
        was_asked.set()
        raise FeedUnavailable("nothing there")

    keeper = DeadLetterKeeper(no_feed)
    keeper.start()
    assert was_asked.wait(LIMIT_S)
    keeper.stop()
    assert not keeper._thread.is_alive()

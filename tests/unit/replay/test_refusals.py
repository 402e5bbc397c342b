"""What the view can never show does not hold a rebuild up, and hides nothing that is lost."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from feed.codec import encode
from feed.event import Event
from feed.fences import count_refusals
from feed.ports import OutgoingRecord
from feed.topics import Topic
from replay import rebuilds, services
from replay.models import Replay
from tests.builders import NOON_MS, make_event
from tests.damage import EmbeddedDamage
from tests.local_pipeline import LocalPipeline
from tests.rebuild_builders import begin, fill_keys, state_of, states, work
from tests.replay_builders import ANNA, HOUR_MS, make_replayer
from timeseries.ports import Document, Refused

SEVEN_MS = NOON_MS - 5 * HOUR_MS
"""The first hour of project demo in the world."""


def poison(id: str = "bad") -> Event:
    """What no projector projects, in an hour full of sound events."""
    return make_event(id=id, occurred_at_ms=SEVEN_MS + 1, properties="[]")


def said(row: Replay) -> str:
    """Of the last entry of its log."""
    return services.log_of(row.id)[-1].detail


def refuse(world: LocalPipeline, patch: pytest.MonkeyPatch, key: bytes) -> None:
    """From now on the store refuses the document of this key, as Elasticsearch may."""
    store = type(world.series)

    def refusing(
        write: Callable[..., Sequence[Refused]],
    ) -> Callable[..., Sequence[Refused]]:
        def written(
            self: object, parts: Iterable[Sequence[Document]], *, generations: Sequence[int]
        ) -> Sequence[Refused]:
            all_parts = [list(part) for part in parts]
            good = [[each for each in part if each.key != key] for part in all_parts]
            bad = [each for part in all_parts for each in part if each.key == key]
            refused = write(self, good, generations=generations)
            return [*refused, *(Refused(each, "no such value") for each in bad)]

        return written

    for name in ("write", "restore"):
        patch.setattr(store, name, refusing(getattr(store, name)))


def test_an_event_that_the_view_refuses_ends_a_rebuild_with_errors_and_it_can_be_served(
    world: LocalPipeline,
) -> None:
    world.publish_events([poison()])
    row = begin()

    work(world)

    assert (state_of(row), states()[2]) == ("completed_with_errors", "ready")
    assert said(row) == (
        "equal but for what is refused: 501 events in 10 hours; "
        "1 event refused by the view, see Dead letters"
    )
    assert rebuilds.swap(2, ANNA).row.is_served


def test_what_is_really_missing_beside_it_is_told_apart_to_the_key(
    world: LocalPipeline, tmp_path: Path
) -> None:
    world.publish_events([poison("one"), poison("other")])
    row = begin()
    work(world)
    lost = [key for key in fill_keys(world) if key not in {poison("one").key, poison("other").key}]
    EmbeddedDamage(tmp_path, "demo", generation=2).delete(lost[0])
    rebuilds.verify(2, ANNA)
    make_replayer(world).run(once=True)

    failed = services.get(row.id)
    assert (failed.state, failed.error_code) == ("failed", "generation_differs")
    assert failed.error_detail == (
        "warehouse and generation differ in 1 of the hours: demo 2026-11-01T07:00Z (1 missing); "
        "2 events refused by the view, see Dead letters"
    )
    services.retry(row.id, ANNA)
    work(world)
    assert state_of(row) == "completed_with_errors"


def test_one_that_came_live_and_was_refused_is_known_without_any_replay(
    world: LocalPipeline,
) -> None:
    row = begin()
    world.project()
    make_replayer(world).run(once=True)  # all is emitted
    world.publish_events([poison()])

    work(world)

    assert (state_of(row), states()[2]) == ("completed_with_errors", "ready")
    assert count_refusals([row.id]) == {row.id: 0}


def test_a_record_that_the_sink_stores_and_the_projector_cannot_read_is_refused_too(
    world: LocalPipeline,
) -> None:
    event = make_event(occurred_at_ms=SEVEN_MS + 1, properties='{"a":"????"}')
    unreadable = encode(event).replace(b"????", b"\xff\xfe\xff\xfe")
    world.publish(Topic.EVENTS, [OutgoingRecord(event.key, unreadable)])
    row = begin()

    work(world)

    assert event.key in fill_keys(world)
    assert (state_of(row), states()[2]) == ("completed_with_errors", "ready")


def test_what_only_the_store_refuses_is_known_by_the_records_of_the_rebuild(
    world: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = make_event(id="odd", occurred_at_ms=SEVEN_MS + 1)
    row = begin()
    with monkeypatch.context() as patch:
        refuse(world, patch, odd.key)
        world.project()
        make_replayer(world).run(once=True)
        world.publish_events([odd])  # live: nobody has noted that it was refused
        work(world)
        assert (state_of(row), states()[2]) == ("failed", "building")
        services.retry(row.id, ANNA)
        work(world)
        assert (state_of(row), states()[2]) == ("completed_with_errors", "ready")
        assert count_refusals([row.id]) == {row.id: 1}


def test_a_retry_from_the_start_forgets_what_was_refused_before(
    world: LocalPipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    odd = make_event(id="odd", occurred_at_ms=SEVEN_MS + 1)
    world.publish_events([odd])
    row = begin()
    with monkeypatch.context() as patch:
        refuse(world, patch, odd.key)
        work(world)
        assert state_of(row) == "completed_with_errors"
    EmbeddedDamage(tmp_path, "zebra", generation=2).delete(fill_keys(world, "zebra")[0])
    rebuilds.verify(2, ANNA)
    make_replayer(world).run(once=True)
    assert state_of(row) == "failed"

    services.retry(row.id, ANNA)  # the store takes it by now
    work(world)

    assert (state_of(row), count_refusals([row.id])) == ("completed", {row.id: 0})

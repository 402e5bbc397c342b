"""The projector: batches of the feed become documents of every generation that is written."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from django.db import OperationalError

from feed.announcements import Announcing, ChangedRange
from feed.codec import encode
from feed.deliveries import Delivery
from feed.errors import Backpressure
from feed.event import HOUR_MS, Event, record_version
from feed.ports import Record
from tests.builders import NOON_MS, make_event
from tests.series_builders import COUNT, make_query
from timeseries import projector as projector_module
from timeseries.adapters.embedded import EmbeddedSeriesStore
from timeseries.domain import Agg, Is, Metric, PropertyField
from timeseries.errors import SeriesUnavailable
from timeseries.generations import READER, GenerationReader, Generations
from timeseries.models import Generation
from timeseries.ports import Document, Refused
from timeseries.projector import MAX_RANGES, NOT_PROJECTABLE, Projector
from timeseries.slots import SLOTS_A_PROJECT, SlotRegistry

pytestmark = pytest.mark.django_db
MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
def _fresh_generations() -> Iterator[None]:
    READER.forget()
    yield
    READER.forget()


@pytest.fixture
def slots() -> SlotRegistry:
    return SlotRegistry()


@pytest.fixture
def projector(store: EmbeddedSeriesStore, slots: SlotRegistry) -> Projector:
    return Projector(store, slots)


def deliver(*events: Event) -> list[Delivery]:
    return [
        Delivery(Record("events", 0, offset, NOON_MS, event.key, encode(event)), event)
        for offset, event in enumerate(events)
    ]


def total(
    store: EmbeddedSeriesStore, *metrics: Metric, generation: int = 1, **query: object
) -> Sequence[float | int | None]:
    asked = make_query(*metrics, **query)  # type: ignore[arg-type]  # make_query's own
    return store.figures(asked, generation=generation, timeout_s=30.0).groups[0].total


def test_a_batch_is_readable_under_slots_that_the_registry_knows(
    projector: Projector, store: EmbeddedSeriesStore, slots: SlotRegistry
) -> None:
    batch = deliver(
        make_event(properties='{"ms": 5, "plan": "free"}', context='{"page": {"path": "/"}}'),
        make_event(properties='{"ms": 7}'),
        make_event(project="other", properties='{"plan": "free"}'),
    )

    assert projector.handle(batch) == []

    ms = PropertyField("properties.ms", slots.lookup("demo", "properties.ms", 1))
    path = PropertyField("context.page.path", slots.lookup("demo", "context.page.path", 1))
    assert total(store, COUNT, Metric("s", Agg.SUM, ms)) == (2, 12.0)
    assert total(store, where=Is(path, ("/",))) == (1,)
    assert total(store, project="other") == (1,)
    assert slots.lookup("other", "properties.plan", 1) == 0


def test_versions_are_those_of_the_records(
    projector: Projector, store: EmbeddedSeriesStore
) -> None:
    event = make_event()
    projector.handle(deliver(event))

    version = record_version(event.received_at_ms, encode(event))
    assert store.versions("demo", [event.key], generation=1) == {event.key: version}


def test_handling_a_batch_twice_or_an_older_one_later_changes_nothing(
    projector: Projector, store: EmbeddedSeriesStore
) -> None:
    old = make_event(id="1", event="old", received_at_ms=NOON_MS)
    new = make_event(id="1", event="new", received_at_ms=NOON_MS + 9)
    projector.handle(deliver(new))
    before = store.data_version("demo", generation=1)

    projector.handle(deliver(new))
    projector.handle(deliver(old))

    assert store.data_version("demo", generation=1) == before
    assert [each.event for each in store.events_seen("demo", generation=1, limit=5)] == ["new"]


def test_every_generation_that_is_written_gets_the_batch(
    projector: Projector, store: EmbeddedSeriesStore, slots: SlotRegistry
) -> None:
    slots.assign("demo", ["properties.earlier"], 2)
    Generation.objects.create(number=2, state=Generation.State.BUILDING)
    Generation.objects.create(number=3, state=Generation.State.DROPPED)

    projector.handle(deliver(make_event(properties='{"ms": 5}')))

    assert [slots.lookup("demo", "properties.ms", each) for each in (1, 2, 3)] == [0, 1, None]
    for generation, slot in ((1, 0), (2, 1)):
        ms = Metric("s", Agg.SUM, PropertyField("properties.ms", slot))
        assert total(store, COUNT, ms, generation=generation) == (1, 5.0)
    assert total(store, generation=3) == (0,)


def test_properties_that_are_no_objects_are_poison_and_spoil_no_neighbour(
    projector: Projector, store: EmbeddedSeriesStore
) -> None:
    batch = deliver(make_event(), make_event(properties="[1]"), make_event(context="{"))

    poison = projector.handle(batch)

    assert [(each.delivery, each.code) for each in poison] == [
        (batch[1], NOT_PROJECTABLE),
        (batch[2], NOT_PROJECTABLE),
    ]
    assert "properties is not a JSON object" in poison[0].detail
    assert total(store) == (1,)


def test_properties_beyond_the_limit_are_left_out_and_the_event_counts(
    projector: Projector, store: EmbeddedSeriesStore, slots: SlotRegistry
) -> None:
    many = ", ".join(f'"p{index}": {index}' for index in range(SLOTS_A_PROJECT + 1))
    projector.handle(deliver(make_event(properties=f"{{{many}}}")))

    assert total(store) == (1,)
    beyond = f"properties.p{SLOTS_A_PROJECT}"
    assert slots.is_over_limit("demo", beyond, 1)
    assert {each.name: each.types for each in slots.listing("demo", 1)}[beyond] == ("number",)


def test_types_and_examples_are_noted_also_when_they_come_later(
    projector: Projector, slots: SlotRegistry
) -> None:
    for properties in ('{"a": "x"}', '{"a": "x"}', '{"a": 3}', '{"a": [true, false]}'):
        projector.handle(deliver(make_event(properties=properties)))

    (seen,) = slots.listing("demo", 1)
    assert seen.types == ("array", "boolean", "number", "string")
    assert seen.examples == ("x", 3.0, True)


def test_a_batch_of_very_large_events_is_written_in_parts(
    projector: Projector, store: EmbeddedSeriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector_module, "CHUNK_CHARS", 100)
    sizes: list[int] = []
    write = store.write

    def measure(
        parts: Iterable[Sequence[Document]], *, generations: Sequence[int]
    ) -> Sequence[Refused]:
        made = list(parts)
        sizes.extend(len(part) for part in made)
        return write(made, generations=generations)

    monkeypatch.setattr(store, "write", measure)
    large = '{"a": "' + "x" * 200 + '"}'
    small = '{"a": "' + "x" * 20 + '"}'

    projector.handle(deliver(*(make_event(properties=each) for each in (large, small, small))))

    assert (sizes, total(store)) == ([1, 2], (3,))
    assert projector.take_changes() == [ChangedRange("demo", NOON_MS, NOON_MS + MINUTE_MS)]


def test_a_batch_of_known_properties_asks_the_database_nothing(
    projector: Projector, django_assert_num_queries: object
) -> None:
    projector.handle(deliver(make_event(properties='{"a": ["x"], "b": 1}')))

    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        projector.handle(deliver(make_event(properties='{"a": ["y"], "b": 2}')))


def test_changed_minutes_are_told_once(projector: Projector) -> None:
    batch = deliver(
        make_event(occurred_at_ms=NOON_MS + 1),
        make_event(occurred_at_ms=NOON_MS + MINUTE_MS),
        make_event(occurred_at_ms=NOON_MS + 5 * MINUTE_MS),
        make_event(project="other", occurred_at_ms=NOON_MS),
    )
    projector.handle(batch)

    assert isinstance(projector, Announcing)
    assert projector.take_changes() == [
        ChangedRange("demo", NOON_MS, NOON_MS + 2 * MINUTE_MS),
        ChangedRange("demo", NOON_MS + 5 * MINUTE_MS, NOON_MS + 6 * MINUTE_MS),
        ChangedRange("other", NOON_MS, NOON_MS + MINUTE_MS),
    ]
    assert projector.take_changes() == []


def test_changes_all_over_the_place_are_told_by_the_hour(projector: Projector) -> None:
    projector.handle(
        deliver(
            *(
                make_event(occurred_at_ms=NOON_MS + index * 2 * MINUTE_MS)
                for index in range(MAX_RANGES + 1)
            )
        )
    )

    (changed,) = projector.take_changes()
    assert changed.project == "demo"
    assert (changed.from_ms, changed.to_ms) == (NOON_MS, NOON_MS + 34 * HOUR_MS)


class AwayStore(EmbeddedSeriesStore):
    """A view that cannot be reached."""

    def write(
        self, parts: Iterable[Sequence[Document]], *, generations: Sequence[int]
    ) -> Sequence[Refused]:
        assert list(parts)
        raise SeriesUnavailable("the view is away", retry_after_s=7.0)


def test_a_store_that_is_away_is_backpressure_and_nothing_is_announced(
    tmp_path: Path, slots: SlotRegistry
) -> None:
    projector = Projector(AwayStore(tmp_path), slots)

    with pytest.raises(Backpressure, match="the view is away") as raised:
        projector.handle(deliver(make_event()))

    assert raised.value.retry_after_s == 7.0
    assert projector.take_changes() == []


def test_a_database_that_gives_no_slots_is_backpressure(
    projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_reader: GenerationReader) -> Generations:
        raise OperationalError("database is locked")

    monkeypatch.setattr(GenerationReader, "current", locked)

    with pytest.raises(Backpressure, match="database is locked"):
        projector.handle(deliver(make_event()))

"""History: each record is written into the generations that it is for, and into no other."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feed import metrics
from feed.announcements import ChangedRange
from feed.codec import decode, encode
from feed.deliveries import Batch
from feed.event import HOUR_MS, Event
from feed.fences import Origin, drop_replay
from feed.ports import Record
from feed.topics import Group
from tests.builders import NOON_MS, make_event, make_project_name
from timeseries.adapters.embedded import EmbeddedSeriesStore
from timeseries.generations import READER
from timeseries.history import HistoryProjector
from timeseries.models import Generation
from timeseries.projector import Projector
from timeseries.slots import SlotRegistry

pytestmark = pytest.mark.django_db
DROPPED = metrics.REPLAY_RECORDS_DROPPED.labels(Group.PROJECTOR_HISTORY.value)
GONE, ABSENT = 2, 9


@pytest.fixture(autouse=True)
def _generations() -> Iterator[None]:
    """1 is served, 2 was dropped, 3 and 4 are written."""
    for number, state in ((GONE, "dropped"), (3, "ready"), (4, "building")):
        Generation.objects.create(number=number, state=state)
    READER.forget()
    yield
    READER.forget()


@pytest.fixture
def history(store: EmbeddedSeriesStore) -> HistoryProjector:
    return HistoryProjector(Projector(store, SlotRegistry(), restores=True))


def record(event: Event, origin: Origin | None, offset: int = 0) -> Record:
    headers = () if origin is None else origin.headers()
    return Record("history", 0, offset, NOON_MS, event.key, encode(event), headers)


def batch_of(*records: Record) -> Batch[Event]:
    return Batch(records, decode)


def holders(store: EmbeddedSeriesStore, event: Event) -> list[int]:
    """The generations that have the event."""
    return [
        number
        for number in (1, GONE, 3, 4, ABSENT)
        if store.versions(event.project, [event.key], generation=number)
    ]


def dropped() -> float:
    (family,) = DROPPED.collect()
    return next(each.value for each in family.samples if each.name.endswith("_total"))


@pytest.mark.parametrize(
    ("target", "holding"), [(None, [1, 3, 4]), (4, [4]), (3, [3]), (1, [1]), (GONE, []), (9, [])]
)
def test_a_record_is_written_where_it_is_for(
    history: HistoryProjector, store: EmbeddedSeriesStore, target: int | None, holding: list[int]
) -> None:
    event = make_event()
    before = dropped()

    assert history.handle(batch_of(record(event, Origin("r", 1, target)))) == []

    assert holders(store, event) == holding
    assert dropped() - before == (not holding)


def test_a_record_that_no_replay_emitted_is_for_all(
    history: HistoryProjector, store: EmbeddedSeriesStore
) -> None:
    event = make_event()
    history.handle(batch_of(record(event, None)))

    assert holders(store, event) == [1, 3, 4]


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from([None, 1, GONE, 3, 4, ABSENT]), max_size=12), st.booleans())
def test_records_for_several_generations_go_apart_in_one_batch(
    history: HistoryProjector,
    store: EmbeddedSeriesStore,
    targets: Sequence[int | None],
    some_cancelled: bool,
) -> None:
    project, cancelled = make_project_name(), make_project_name()
    drop_replay(cancelled)
    events = [make_event(project=project, id=str(index)) for index in range(len(targets))]
    replays = [cancelled if some_cancelled and index % 3 == 0 else "r" for index in range(12)]
    records = [
        record(event, Origin(replay, 1, target), offset)
        for offset, (event, replay, target) in enumerate(
            zip(events, replays, targets, strict=False)
        )
    ]
    before = dropped()

    assert history.handle(batch_of(*records)) == []

    holding = [
        [] if replay == cancelled else [number for number in (1, 3, 4) if target in (None, number)]
        for replay, target in zip(replays, targets, strict=False)
    ]
    assert [holders(store, event) for event in events] == holding
    assert dropped() - before == sum(not each for each in holding)


@pytest.mark.parametrize(("target", "is_told"), [(None, True), (1, True), (4, False)])
def test_changes_are_told_of_the_generation_that_is_served_alone(
    history: HistoryProjector, target: int | None, is_told: bool
) -> None:
    history.handle(batch_of(record(make_event(), Origin("r", 1, target))))

    told = [ChangedRange("demo", NOON_MS, NOON_MS + HOUR_MS)] if is_told else []
    assert [list(history.take_changes()) for _ in range(3)] == [[], told, []]


def test_a_batch_for_one_generation_is_decoded_once(history: HistoryProjector) -> None:
    decoded: list[bytes] = []

    def counting(value: bytes) -> Event:
        decoded.append(value)
        return decode(value)

    records = [record(make_event(), Origin("r", 1, 4), offset) for offset in range(5)]
    history.handle(Batch(records, counting))

    assert len(decoded) == 5


def test_what_every_generation_refuses_is_refused_once(history: HistoryProjector) -> None:
    bad = make_event(properties="[]")
    records = [record(bad, Origin("r", 1), 0), record(bad, Origin("r", 1, 4), 1)]

    poison = history.handle(batch_of(*records))

    assert sorted(each.delivery.record.offset for each in poison) == [0, 1]

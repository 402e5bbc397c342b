"""Whatever ingest admits is stored by the sink, and counted by the projector, once."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feed.codec import decode, encode
from feed.deliveries import Delivery
from feed.event import Event, ProjectId
from feed.ports import Record
from ingest.domain import MAX_EVENT_BYTES, Admitted, Frame, admit
from tests.builders import NOON_MS
from tests.series_builders import make_query
from timeseries.adapters.embedded import EmbeddedSeriesStore
from timeseries.generations import READER
from timeseries.projector import Projector
from timeseries.slots import SlotRegistry
from warehouse.adapters.embedded import open_event_store
from warehouse.ports import ScanWindow
from warehouse.sink import WarehouseSink

pytestmark = pytest.mark.django_db
DAY_MS = 86_400_000

SCALARS: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["x" * 9_000, "\x00", "\ud800", "é" * 4_096, "\U0010ffff"]),
)
NAMES = st.one_of(st.text(max_size=4), st.sampled_from(["a", "a.b", "", "n" * 200, "n" * 201]))


def deep(levels: int) -> object:
    """A value nested so deep."""
    value: object = 1
    for level in range(levels):
        value = {"n" * 200: value} if level % 2 else [value]
    return value


VALUES = st.one_of(
    st.recursive(
        SCALARS,
        lambda parts: st.one_of(
            st.lists(parts, max_size=5), st.dictionaries(NAMES, parts, max_size=5)
        ),
        max_leaves=20,
    ),
    st.builds(deep, st.integers(15, 22)),
    st.builds(lambda count: {f"p{index}": index for index in range(count)}, st.integers(0, 1_500)),
    st.builds(lambda count: [0] * count, st.integers(0, 12_000)),
)
ROWS: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {"event": st.one_of(st.text(max_size=8), st.just("buy"))},
    optional={
        "properties": st.one_of(st.dictionaries(NAMES, VALUES, max_size=6), VALUES),
        "context": st.dictionaries(NAMES, VALUES, max_size=3),
        "user_id": st.text(max_size=200),
        "anonymous_id": st.text(max_size=5),
        "session_id": st.text(max_size=5),
        "type": st.sampled_from(["track", "page", "identify", "no type"]),
        "timestamp": st.integers(NOON_MS - DAY_MS, NOON_MS + DAY_MS),
    },
)


class Pipeline:
    """Sink and projector over stores of the test's own."""

    def __init__(self, folder: Path) -> None:
        READER.forget()
        self.events = open_event_store("embedded:", {}, folder)
        self.series = EmbeddedSeriesStore(folder / "timeseries")
        self._handlers = (
            WarehouseSink(self.events),
            Projector(self.series, SlotRegistry()),
        )

    def deliver(self, event: Event, times: int) -> None:
        value = encode(event)
        record = Record("events", 0, 0, NOON_MS, event.key, value)
        for handler in self._handlers:
            for _ in range(times):
                assert list(handler.handle([Delivery(record, decode(value))])) == []

    def stored(self, project: str) -> list[bytes]:
        window = ScanWindow(project, 0, 2 * NOON_MS)
        return [row.key for page in self.events.scan(window) for row in page.rows]

    def counted(self, project: str) -> object:
        query = make_query(project=project, from_ms=NOON_MS - DAY_MS, to_ms=NOON_MS + 2 * DAY_MS)
        answer = self.series.figures(query, generation=1, timeout_s=30.0)
        return answer.groups[0].total[0]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def row_of(members: dict[str, object]) -> bytes:
    """The members as JSON; what JSON has no words for (NaN, lone surrogates) as Python writes
    it."""
    return json.dumps({"id": uuid4().hex, **members}, ensure_ascii=True).encode()


@settings(
    max_examples=150,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(ROWS, st.integers(1, 2))
def test_whatever_is_admitted_is_stored_and_counted_once(
    pipeline: Pipeline, members: dict[str, object], times: int
) -> None:
    project = ProjectId(f"p-{uuid4().hex[:12]}")
    admitted = admit(row_of(members), Frame(project, NOON_MS, "rest"))
    if not isinstance(admitted, Admitted):
        return

    pipeline.deliver(admitted.event, times)

    assert pipeline.stored(project) == [admitted.event.key]
    assert pipeline.counted(project) == 1


@pytest.mark.parametrize(
    "properties",
    [
        deep(19),
        {f"p{index}": {"a": [index, str(index), True]} for index in range(800)},
        {"long": "x" * 30_000},
        {"many": list(range(5_000))},
        {"unsigned": 2**64 - 1, "tiny": 5e-324, "huge": 1.7e308},
    ],
    ids=["deep", "many names", "a long string", "a long array", "odd numbers"],
)
def test_the_largest_of_each_kind_is_admitted_and_counted(
    pipeline: Pipeline, properties: object
) -> None:
    project = ProjectId(f"p-{uuid4().hex[:12]}")
    wrapped = properties if isinstance(properties, dict) else {"deep": properties}
    row = row_of({"event": "buy", "properties": wrapped})
    assert len(row) <= MAX_EVENT_BYTES

    admitted = admit(row, Frame(project, NOON_MS, "rest"))

    assert isinstance(admitted, Admitted)
    pipeline.deliver(admitted.event, 2)
    assert pipeline.stored(project) == [admitted.event.key]
    assert pipeline.counted(project) == 1

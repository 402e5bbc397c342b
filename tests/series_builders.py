"""Builders for the view: documents and queries, small at the call, and strategies that make any."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from hypothesis import strategies as st

from feed.event import HOUR_MS, event_key, key_hash
from tests.builders import NOON_MS
from timeseries.domain import (
    EVERYTHING,
    Agg,
    And,
    Bucket,
    Compare,
    Compares,
    CoreField,
    Exists,
    Field,
    Fill,
    Filter,
    Interval,
    Is,
    Matches,
    Metric,
    Not,
    Or,
    PropertyField,
    Scalar,
    SeriesQuery,
    TextMatch,
    Unit,
)
from timeseries.ports import Document

COUNT = Metric("n", Agg.COUNT)
COUNTRY = PropertyField("properties.country", 0)
AMOUNT = PropertyField("properties.amount", 1)
TAGS = PropertyField("properties.tags", 2)
MIXED = PropertyField("properties.mixed", 3)
NEVER_SENT = PropertyField("properties.never", None)
UNSEEN = PropertyField("properties.unseen", 200)
"""Has a slot that no document uses."""


def make_document(
    *,
    project: str = "demo",
    id: str | None = None,
    at_ms: int = NOON_MS,
    version: int | None = None,
    event: str = "signup",
    type: str = "track",
    user_id: str | None = None,
    anonymous_id: str | None = None,
    session_id: str | None = None,
    values: Mapping[int, Scalar | Sequence[Scalar]] | None = None,
) -> Document:
    """A document with values by slot, one or a list, told apart by their Python type."""
    key = event_key(project, uuid4().hex if id is None else id, at_ms)
    found_version = at_ms * 1000 if version is None else version
    strings: dict[int, tuple[str, ...]] = {}
    numbers: dict[int, tuple[float, ...]] = {}
    booleans: dict[int, tuple[bool, ...]] = {}
    for slot, given in (values or {}).items():
        listed = [given] if isinstance(given, str | float | bool) else list(given)
        if texts := tuple(value for value in listed if isinstance(value, str)):
            strings[slot] = texts
        if flags := tuple(value for value in listed if isinstance(value, bool)):
            booleans[slot] = flags
        if doubles := tuple(float(value) for value in listed if not isinstance(value, str | bool)):
            numbers[slot] = doubles
    return Document(
        project=project,
        key=key,
        version=found_version,
        occurred_at_ms=at_ms,
        event=event,
        type=type,
        user_id=user_id,
        anonymous_id=anonymous_id,
        session_id=session_id,
        strings=strings,
        numbers=numbers,
        booleans=booleans,
        hash24=key_hash(key, found_version),
    )


def make_query(
    *metrics: Metric,
    project: str = "demo",
    from_ms: int = NOON_MS,
    to_ms: int = NOON_MS + HOUR_MS,
    edges_ms: Sequence[int] | None = None,
    where: Filter = EVERYTHING,
    group_by: Sequence[Field] = (),
    limit: int = 10,
    other: bool = True,
) -> SeriesQuery:
    """A query over one bucket, or those between `edges_ms`; counts where no metric is given."""
    edges = [from_ms, to_ms] if edges_ms is None else list(edges_ms)
    return SeriesQuery(
        project=project,
        from_ms=from_ms,
        to_ms=to_ms,
        timezone="UTC",
        interval=Interval(1, Unit.HOUR),
        week_start_sunday=False,
        buckets=tuple(Bucket(*pair) for pair in zip(edges, edges[1:], strict=False)),
        metrics=metrics or (COUNT,),
        filter=where,
        group_by=tuple(group_by),
        limit=limit,
        other=other,
        fill=Fill.ZERO,
    )


def hourly(hours: int, *, from_ms: int = NOON_MS) -> list[int]:
    """Edges of so many hours."""
    return [from_ms + index * HOUR_MS for index in range(hours + 1)]


# -- strategies: a small world, so that values, times and keys meet often --

PROJECTS = ("demo", "other")
EVENTS = ("buy", "view", "Ärger")
TEXTS = ("", "a", "ab", "A", "1", "é", "\uffff", "\U00010000", "true")
NUMBERS = (0.0, 1.0, 3.0, -2.5, 0.125, 4096.0, 2.0**40)
"""Dyadic, so that sums are exact in any order and ranks are beyond doubt."""
SCALARS: st.SearchStrategy[Scalar] = st.one_of(
    st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.booleans()
)
MOSTLY = st.sampled_from((True, True, True, False))
SPAN_MS = 6 * HOUR_MS
MINUTE_MS = 60_000
FIELDS: st.SearchStrategy[Field] = st.sampled_from(
    [COUNTRY, AMOUNT, TAGS, MIXED, CoreField.EVENT] * 3
    + [CoreField.TYPE, CoreField.USER_ID, CoreField.SESSION_ID, NEVER_SENT, UNSEEN]
)


@st.composite
def documents(draw: st.DrawFn, *, max_size: int = 24) -> list[Document]:
    """Deliveries of few keys in several versions; country is one string, amount one number, tags
    are arrays, mixed is anything."""
    drawn = draw(st.lists(_document(), max_size=max_size))
    versions = draw(st.permutations(range(1, len(drawn) + 1)))
    return [_at_version(each, version) for each, version in zip(drawn, versions, strict=True)]


def _at_version(document: Document, version: int) -> Document:
    return document._replace(version=version, hash24=key_hash(document.key, version))


@st.composite
def _document(draw: st.DrawFn) -> Document:
    number = draw(st.integers(0, 11))
    values: dict[int, Scalar | Sequence[Scalar]] = {}
    if draw(MOSTLY):
        values[0] = draw(st.sampled_from(TEXTS))
    if draw(MOSTLY):
        values[1] = draw(st.sampled_from(NUMBERS))
    if draw(st.booleans()):
        values[2] = draw(st.lists(SCALARS, min_size=1, max_size=4))
    if draw(MOSTLY):
        values[3] = draw(SCALARS)
    return make_document(
        project=draw(st.sampled_from(PROJECTS)),
        id=str(number),
        at_ms=NOON_MS + number * SPAN_MS // 12 + number,
        event=draw(st.sampled_from(EVENTS)),
        type=draw(st.sampled_from(("track", "page"))),
        user_id=draw(st.sampled_from((None, "u1", "u2"))),
        values=values,
    )


def filters() -> st.SearchStrategy[Filter]:
    """Filters of every kind, a few levels deep."""
    leaves: st.SearchStrategy[Filter] = st.one_of(
        st.builds(Is, FIELDS, st.lists(SCALARS, max_size=3).map(tuple)),
        st.builds(Is, st.just(CoreField.EVENT), st.just(("buy", "view"))),
        st.builds(
            Matches,
            FIELDS,
            st.sampled_from(TextMatch),
            st.lists(st.sampled_from(TEXTS), max_size=2).map(tuple),
        ),
        st.builds(
            Compares,
            FIELDS,
            st.sampled_from(Compare),
            st.one_of(st.sampled_from(TEXTS), st.sampled_from(NUMBERS)),
        ),
        st.builds(Exists, FIELDS),
    )
    return st.recursive(
        leaves,
        lambda parts: st.one_of(
            st.builds(And, st.lists(parts, max_size=3).map(tuple)),
            st.builds(Or, st.lists(parts, max_size=3).map(tuple)),
            st.builds(Not, parts),
        ),
        max_leaves=4,
    )


@st.composite
def queries(draw: st.DrawFn) -> SeriesQuery:
    """Any query: edges of buckets fall on hours, quarters, or anywhere."""
    width_ms = draw(st.sampled_from((7 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS)))
    first = NOON_MS - HOUR_MS + draw(st.sampled_from((0, 15 * MINUTE_MS, 30 * MINUTE_MS, 1_234)))
    buckets = draw(st.integers(1, 8 * HOUR_MS // width_ms))
    edges = [first + index * width_ms for index in range(buckets + 1)]
    cut = draw(st.sampled_from((0, 1, 20 * MINUTE_MS))) if buckets > 1 else 0
    cut = min(cut, width_ms - 1)
    metrics = draw(st.lists(_metric(), min_size=1, max_size=3))
    return make_query(
        *metrics,
        project="demo",
        from_ms=edges[0] + cut,
        to_ms=edges[-1] - cut,
        edges_ms=edges,
        where=draw(st.one_of(st.just(EVERYTHING), filters())),
        group_by=draw(st.lists(FIELDS, max_size=2, unique=True)),
        limit=draw(st.integers(1, 4)),
        other=draw(st.booleans()),
    )


@st.composite
def _metric(draw: st.DrawFn) -> Metric:
    agg = draw(st.sampled_from(Agg))
    field = None if agg in (Agg.COUNT, Agg.RATE) else draw(FIELDS)
    return Metric(f"m{draw(st.integers(0, 9))}", agg, field)

"""What differs, over any two sides; and the spans that a replay of it must cover."""

from hypothesis import given
from hypothesis import strategies as st

from feed.event import HOUR_MS, first_key_at
from operations.reconcile.gap import Gap
from replay.domain import Span
from replay.verification.comparison import Difference, Kind, differences, hour_pairs
from timeseries.ports import DocumentHour, Entry
from warehouse.ports import HourCount

ENTRIES = st.dictionaries(
    st.integers(0, 30),
    st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 2), st.integers(0, 1)),
    max_size=20,
)
HOURS = st.dictionaries(
    st.tuples(st.integers(0, 4), st.sampled_from("abc")),
    st.tuples(st.integers(1, 2), st.integers(0, 1)),
)


def entries(held: dict[int, tuple[str, int, int]]) -> list[Entry]:
    return [Entry(first_key_at(number), *held[number]) for number in sorted(held)]


@given(ENTRIES, ENTRIES)
def test_differences_are_the_keys_that_two_dicts_do_not_share(
    warehouse: dict[int, tuple[str, int, int]], view: dict[int, tuple[str, int, int]]
) -> None:
    found = list(differences(entries(warehouse), entries(view)))

    differing = sorted(
        number for number in {*warehouse, *view} if warehouse.get(number) != view.get(number)
    )
    assert [difference.key for difference in found] == [first_key_at(each) for each in differing]
    for number, difference in zip(differing, found, strict=True):
        in_both = number in warehouse and number in view
        alone = Kind.MISSING if number in warehouse else Kind.EXTRA
        assert difference.kind is (Kind.CHANGED if in_both else alone)


@given(HOURS, HOURS)
def test_hours_of_both_sides_come_together(
    warehouse: dict[tuple[int, str], tuple[int, int]], view: dict[tuple[int, str], tuple[int, int]]
) -> None:
    stored = [
        HourCount(hour * HOUR_MS, event, *warehouse[hour, event])
        for hour, event in sorted(warehouse)
    ]
    shown = [
        DocumentHour(hour * HOUR_MS, event, *view[hour, event]) for hour, event in sorted(view)
    ]

    pairs = list(hour_pairs(stored, shown))

    assert [pair.hour_ms // HOUR_MS for pair in pairs] == sorted(
        {hour for hour, _ in (*warehouse, *view)}
    )
    for pair in pairs:
        hour = pair.hour_ms // HOUR_MS
        ours = {event: value for (at, event), value in warehouse.items() if at == hour}
        theirs = {event: value for (at, event), value in view.items() if at == hour}
        assert pair.agrees == (ours == theirs)
        assert pair.counts == tuple(sum(n for n, _ in side.values()) for side in (ours, theirs))


def missing(time_ms: int) -> Difference:
    key = first_key_at(time_ms)
    return Difference(key, Entry(key, "a", 1, 1), None)


def extra(time_ms: int) -> Difference:
    key = first_key_at(time_ms)
    return Difference(key, None, Entry(key, "a", 1, 1))


def test_a_gap_is_exact_while_it_has_few_spans_and_leaves_out_what_no_replay_mends() -> None:
    gap = Gap()
    gap.add([missing(9), missing(3), extra(5), missing(4)])
    gap.add([missing(2), missing(9), extra(20)])

    assert gap.spans == [Span(2, 5), Span(9, 10)]
    assert Gap().spans == []


@given(st.lists(st.lists(st.integers(0, 60), max_size=12), max_size=6), st.integers(1, 8))
def test_a_gap_covers_everything_in_a_bounded_number_of_spans(
    chunks: list[list[int]], most: int
) -> None:
    gap = Gap(most_spans=most)
    for times in chunks:
        gap.add([missing(time) for time in times])

    spans = gap.spans
    assert len(spans) <= most
    assert all(one.to_ms < other.from_ms for one, other in zip(spans, spans[1:], strict=False))
    lost = {time for times in chunks for time in times}
    assert all(any(start <= time < end for start, end in spans) for time in lost)
    if len(lost) <= most:
        assert {time for start, end in spans for time in range(start, end)} == lost

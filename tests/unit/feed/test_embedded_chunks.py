"""Chunks: what is packed comes back, whole and in order."""

from hypothesis import given
from hypothesis import strategies as st

from feed.adapters.embedded.chunks import cut, pack, unpack
from feed.adapters.embedded.producer import partition_of
from feed.ports import OutgoingRecord

HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=2).map(tuple)
RECORDS = st.lists(
    st.builds(OutgoingRecord, st.binary(max_size=20), st.binary(max_size=300), HEADERS),
    min_size=1,
    max_size=20,
)


@given(RECORDS, st.integers(0, 2**50))
def test_records_come_back_with_their_offsets(records: list[OutgoingRecord], base: int) -> None:
    found = unpack(
        pack(records),
        topic="events",
        partition=3,
        base=base,
        count=len(records),
        appended_at_ms=17,
    )

    assert [(r.key, r.value, r.headers) for r in found] == [
        (r.key, r.value, r.headers) for r in records
    ]
    assert [r.offset for r in found] == list(range(base, base + len(records)))
    assert {(r.topic, r.partition, r.appended_at_ms) for r in found} == {("events", 3, 17)}


@given(RECORDS, st.integers(1, 600))
def test_cutting_keeps_every_record_in_order_within_the_limit(
    records: list[OutgoingRecord], max_bytes: int
) -> None:
    runs = list(cut(records, max_bytes=max_bytes))

    assert [record for run in runs for record in run] == records
    for run in runs:
        assert len(run) == 1 or sum(len(r.key) + len(r.value) for r in run) <= max_bytes


def test_nothing_is_cut_into_nothing() -> None:
    assert list(cut([], max_bytes=10)) == []


def test_the_partition_of_a_key_is_frozen() -> None:
    assert [partition_of(key, 4) for key in (b"", b"a", b"weir", bytes(16))] == [0, 3, 0, 1]

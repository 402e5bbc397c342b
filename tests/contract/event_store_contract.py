"""The EventStore port's contract: an adapter's test module subclasses this and gives `store`."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from feed.event import HOUR_MS, first_key_at, key_hash, key_time_ms
from tests.builders import NOON_MS, make_event, make_project_name, make_row
from warehouse.ports import EventStore, HourCount, Page, Row, ScanWindow

SOME = settings(
    max_examples=20,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,  # one suite, several subclasses
    ],
)
NAMES = ("signup", "order paid", "naïve ☃")


def row_at(
    time_ms: int, project: str, *, event: str = "signup", id: str | None = None, later_ms: int = 0
) -> Row:
    """A row of that time; `later_ms` more than usual between event and receipt: a newer version."""
    received_at_ms = time_ms + 250 + later_ms
    return make_row(
        make_event(
            project=project,
            id=id,
            event=event,
            occurred_at_ms=time_ms,
            received_at_ms=received_at_ms,
        )
    )


def window_of(project: str, **changes: object) -> ScanWindow:
    """A day around noon unless changed."""
    day = ScanWindow(project, NOON_MS - 12 * HOUR_MS, NOON_MS + 12 * HOUR_MS)
    return replace(day, **changes)  # type: ignore[arg-type]  # fields of a ScanWindow


def rows_of(pages: Iterable[Page]) -> list[Row]:
    return [row for page in pages for row in page.rows]


def by_key(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.key)


def recount(rows: Iterable[Row]) -> list[HourCount]:
    """Counts and hash sums as the port words them, in plain Python."""
    counts: Counter[tuple[int, str]] = Counter()
    sums: Counter[tuple[int, str]] = Counter()
    for row in rows:
        time_ms = key_time_ms(row.key)
        place = (time_ms - time_ms % HOUR_MS, row.event)
        counts[place] += 1
        sums[place] += key_hash(row.key, row.version)
    return [HourCount(*place, counts[place], sums[place]) for place in sorted(counts)]


class Delivered(NamedTuple):
    """One delivery of an event: which, in which of its versions, under which name."""

    event: int
    version: int
    name: str


deliveries = st.lists(
    st.builds(Delivered, st.integers(0, 9), st.integers(0, 3), st.sampled_from(NAMES)),
    max_size=30,
)


class EventStoreContract:
    """Every sentence of the port, as tests."""

    @pytest.fixture
    def store(self) -> EventStore:
        raise NotImplementedError("an adapter's suite gives its own store")

    @pytest.fixture
    def project(self) -> str:
        return make_project_name()

    # -- append and get --

    def test_an_appended_row_is_read_back_byte_by_byte(
        self, store: EventStore, project: str
    ) -> None:
        row = row_at(NOON_MS, project)
        store.append([row])
        assert store.get(project, [row.key]) == {row.key: row}

    @SOME
    @given(record=st.binary(max_size=2000), event=st.text(min_size=1, max_size=200))
    def test_any_bytes_and_any_name_are_kept_verbatim(
        self, store: EventStore, record: bytes, event: str
    ) -> None:
        name = event.encode("utf-8", "replace").decode().replace("\0", "?")
        row = structs.replace(row_at(NOON_MS, make_project_name()), record=record, event=name)
        store.append([row])
        assert store.get(row.project, [row.key])[row.key] == row

    def test_a_record_of_a_quarter_megabyte_is_kept(self, store: EventStore, project: str) -> None:
        row = structs.replace(
            row_at(NOON_MS, project), record=random.Random(1).randbytes(256 * 1024)
        )
        store.append([row])
        assert store.get(project, [row.key])[row.key].record == row.record

    def test_appending_nothing_changes_nothing(self, store: EventStore, project: str) -> None:
        store.append([])
        assert rows_of(store.scan(window_of(project))) == []

    def test_absent_keys_are_absent(self, store: EventStore, project: str) -> None:
        row, other = row_at(NOON_MS, project), row_at(NOON_MS, project)
        store.append([row])
        assert store.get(project, [other.key, row.key]) == {row.key: row}
        assert store.get(project, []) == {}
        assert store.get(make_project_name(), [row.key]) == {}

    def test_a_thousand_keys_are_taken_at_once_and_more_are_refused(
        self, store: EventStore, project: str
    ) -> None:
        rows = [row_at(NOON_MS + index, project) for index in range(1000)]
        store.append(rows)
        keys = [row.key for row in rows]
        assert store.get(project, keys) == {row.key: row for row in rows}
        with pytest.raises(ValueError, match="at most 1000"):
            store.get(project, [*keys, keys[0]])

    # -- idempotence and versions --

    @SOME
    @given(delivered=deliveries, seed=st.integers(0, 1000), size=st.integers(1, 7))
    def test_shuffled_and_repeated_deliveries_leave_the_highest_version_of_each_event_once(
        self, store: EventStore, delivered: list[Delivered], seed: int, size: int
    ) -> None:
        project = make_project_name()
        rows = [
            row_at(
                NOON_MS + one.event * HOUR_MS // 3,
                project,
                id=str(one.event),
                event=one.name,
                later_ms=one.version,
            )
            for one in delivered
        ]
        repeated = rows + rows
        random.Random(seed).shuffle(repeated)
        for start in range(0, len(repeated), size):
            store.append(repeated[start : start + size])
        newest: dict[bytes, Row] = {}
        for row in rows:
            held = newest.setdefault(row.key, row)
            newest[row.key] = max(held, row, key=lambda each: each.version)
        found = rows_of(store.scan(window_of(project)))
        assert [(row.key, row.version) for row in found] == [
            (row.key, row.version) for row in by_key(newest.values())
        ]
        assert list(store.hours(window_of(project))) == recount(found)

    def test_an_older_version_changes_nothing_wherever_it_comes(
        self, store: EventStore, project: str
    ) -> None:
        old = row_at(NOON_MS, project, id="same", event="old name")
        new = row_at(NOON_MS, project, id="same", event="new name", later_ms=1)
        store.append([new])
        store.append([old])
        store.append([old, new, old])
        assert rows_of(store.scan(window_of(project))) == [new]

    def test_a_newer_version_replaces_record_name_and_hash(
        self, store: EventStore, project: str
    ) -> None:
        old = row_at(NOON_MS, project, id="same", event="old name")
        new = row_at(NOON_MS, project, id="same", event="new name", later_ms=1)
        neighbour = row_at(NOON_MS, project)
        store.append([old])
        store.append([new, neighbour])
        assert store.get(project, [old.key]) == {old.key: new}
        assert list(store.hours(window_of(project))) == recount([new, neighbour])

    # -- scan --

    def test_a_scan_gives_pages_in_order_of_partition_and_key(
        self, store: EventStore, project: str
    ) -> None:
        rows = spread(project, hours=5, each=7)
        append_shuffled(store, rows)
        pages = list(store.scan(window_of(project), page_rows=3))
        assert rows_of(pages) == by_key(rows)
        for page in pages:
            assert 1 <= len(page.rows) <= 3
            assert page.checkpoint.last_key == page.rows[-1].key
            hours = {key_time_ms(row.key) // HOUR_MS * HOUR_MS for row in page.rows}
            assert hours == {page.checkpoint.partition.hour_ms}

    @pytest.mark.parametrize("page_rows", [1, 2, 5])
    def test_a_scan_goes_on_after_every_checkpoint_without_gap_or_repetition(
        self, store: EventStore, project: str, page_rows: int
    ) -> None:
        store.append(spread(project, hours=4, each=5))
        window = window_of(project)
        pages = list(store.scan(window, page_rows=page_rows))
        for index, page in enumerate(pages):
            resumed = store.scan(window, after=page.checkpoint, page_rows=page_rows)
            assert rows_of(resumed) == rows_of(pages[index + 1 :])

    def test_a_window_takes_its_start_and_leaves_its_end_to_the_millisecond(
        self, store: EventStore, project: str
    ) -> None:
        border = NOON_MS + HOUR_MS
        times = [border - 1, border, border + 1]
        rows = {time_ms: row_at(time_ms, project) for time_ms in times}
        store.append(list(rows.values()))

        def seen(start_ms: int, end_ms: int) -> list[int]:
            window = window_of(project, start_ms=start_ms, end_ms=end_ms)
            found = rows_of(store.scan(window))
            assert list(store.hours(window)) == recount(found)
            return [key_time_ms(row.key) for row in found]

        assert seen(border - 1, border + 2) == times
        assert seen(border, border + 1) == [border]
        assert seen(border - 1, border) == [border - 1]
        assert seen(border + 1, border + HOUR_MS) == [border + 1]
        assert seen(border, border) == []
        assert seen(border + 2, border + HOUR_MS) == []

    def test_a_scan_gives_the_events_named_and_no_others(
        self, store: EventStore, project: str
    ) -> None:
        rows = spread(project, hours=4, each=9)
        store.append(rows)
        window = window_of(project, events=frozenset({NAMES[0], NAMES[2], "never seen"}))
        wanted = [row for row in by_key(rows) if row.event != NAMES[1]]
        pages = list(store.scan(window, page_rows=4))
        assert rows_of(pages) == wanted
        assert rows_of(store.scan(window, after=pages[1].checkpoint)) == rows_of(pages[2:])
        assert list(store.hours(window)) == recount(wanted)
        assert rows_of(store.scan(replace(window, events=frozenset({"never seen"})))) == []

    def test_rows_appended_while_a_scan_is_under_way_do_not_disturb_it(
        self, store: EventStore, project: str
    ) -> None:
        rows = spread(project, hours=3, each=4)
        store.append(rows)
        scan = store.scan(window_of(project), page_rows=4)
        first = next(scan)
        behind = row_at(NOON_MS - HOUR_MS, project)
        store.append([behind])
        assert [*first.rows, *rows_of(scan)] == by_key(rows)

    # -- partitions and hours --

    def test_partitions_cover_every_event_of_the_window_in_order(
        self, store: EventStore, project: str
    ) -> None:
        rows = spread(project, hours=6, each=2)
        store.append(rows)
        start_ms, end_ms = NOON_MS + 2 * HOUR_MS + 1, NOON_MS + 5 * HOUR_MS
        found = store.partitions(project, start_ms, end_ms)
        assert list(found) == sorted(set(found))
        assert {partition.hour_ms for partition in found} == {
            NOON_MS + hour * HOUR_MS for hour in (2, 3, 4)
        }
        assert store.partitions(project, NOON_MS - 9 * HOUR_MS, NOON_MS) == []

    @SOME
    @given(
        places=st.lists(
            st.tuples(st.integers(-2 * HOUR_MS, 2 * HOUR_MS), st.sampled_from(NAMES)), max_size=20
        ),
        start=st.integers(-2 * HOUR_MS, 0),
        length=st.integers(0, 3 * HOUR_MS),
    )
    def test_hours_equal_a_recount(
        self, store: EventStore, places: list[tuple[int, str]], start: int, length: int
    ) -> None:
        project = make_project_name()
        store.append([row_at(NOON_MS + shift, project, event=name) for shift, name in places])
        window = ScanWindow(project, NOON_MS + start, NOON_MS + start + length)
        assert list(store.hours(window)) == recount(rows_of(store.scan(window)))

    # -- projects --

    def test_two_projects_never_mix(self, store: EventStore, project: str) -> None:
        other = make_project_name()
        mine = [row_at(NOON_MS + index, project, id=str(index)) for index in range(5)]
        theirs = [row_at(NOON_MS + index, other, id=str(index)) for index in range(3)]
        twin = structs.replace(mine[0], project=other, record=b"theirs")
        store.append([*mine, *theirs, twin])
        assert rows_of(store.scan(window_of(project))) == by_key(mine)
        assert rows_of(store.scan(window_of(other))) == by_key([*theirs, twin])
        assert store.get(project, [row.key for row in theirs]) == {}
        assert store.get(other, [twin.key])[twin.key].record == b"theirs"
        assert list(store.hours(window_of(project))) == recount(mine)
        assert store.partitions(make_project_name(), 0, NOON_MS * 2) == []

    # -- the rest --

    def test_threads_share_one_store(self, store: EventStore, project: str) -> None:
        rows = spread(project, hours=3, each=40)

        def work(seed: int) -> int:
            append_shuffled(store, rows, seed=seed)
            return len(rows_of(store.scan(window_of(project), page_rows=11)))

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(4))) == [len(rows)] * 4
        assert rows_of(store.scan(window_of(project))) == by_key(rows)

    def test_ensure_is_idempotent_and_keeps_what_is_there(
        self, store: EventStore, project: str
    ) -> None:
        store.ensure()
        row = row_at(NOON_MS, project)
        store.append([row])
        assert store.ensure() == []
        assert rows_of(store.scan(window_of(project))) == [row]

    def test_a_store_that_can_be_reached_answers_a_ping(self, store: EventStore) -> None:
        store.ping(timeout_s=10)

    def test_closing_twice_is_harmless(self, store: EventStore) -> None:
        store.ensure()
        store.close()
        store.close()

    def test_a_bound_that_is_no_key_starts_a_scan(self, store: EventStore, project: str) -> None:
        row = structs.replace(row_at(NOON_MS, project), key=first_key_at(NOON_MS))
        store.append([row])
        assert rows_of(store.scan(window_of(project, start_ms=NOON_MS))) == [row]


def spread(project: str, *, hours: int, each: int) -> list[Row]:
    """`each` rows in every hour from noon on, names by turns."""
    return [
        row_at(NOON_MS + hour * HOUR_MS + index * 60_000, project, event=NAMES[index % len(NAMES)])
        for hour in range(hours)
        for index in range(each)
    ]


def append_shuffled(store: EventStore, rows: Sequence[Row], *, seed: int = 0) -> None:
    """All rows in batches of ten, in an order of the seed's."""
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    for start in range(0, len(shuffled), 10):
        store.append(shuffled[start : start + 10])

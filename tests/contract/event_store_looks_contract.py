"""How long an EventStore looks in silence: subclass it beside EventStoreContract, whose fixtures it
takes."""

import pytest
from msgspec.structs import replace

from feed.event import HOUR_MS
from tests.builders import NOON_MS
from tests.contract.event_store_contract import recount, row_at, rows_of, spread, window_of
from warehouse.ports import LOOK_ROWS, EventStore, Row


class EventStoreLooksContract:
    """Never beyond LOOK_ROWS rows, whether they are wanted or not."""

    def test_a_scan_that_finds_nothing_tells_how_far_it_is(
        self, store: EventStore, project: str
    ) -> None:
        store.append(crowd(project))
        store.append(spread(project, hours=3, each=2))
        window = window_of(project, events=frozenset({"never seen"}))
        pages = list(store.scan(window))
        assert rows_of(pages) == []
        places = [page.checkpoint for page in pages]
        assert places == sorted(set(places))
        hours = [place.partition.hour_ms for place in places]
        assert hours.count(NOON_MS) > 1
        assert set(hours) == {NOON_MS + hour * HOUR_MS for hour in range(3)}
        rare = row_at(NOON_MS + 2 * HOUR_MS, project, event="never seen")
        store.append([rare])
        for place in (places[0], places[1]):
            assert rows_of(store.scan(window, after=place)) == [rare]
            assert all(page.checkpoint > place for page in store.scan(window, after=place))

    @pytest.mark.parametrize("events", [frozenset[str](), frozenset({"never seen"})])
    def test_a_count_ticks_within_an_hour_and_a_tick_may_end_it(
        self, store: EventStore, project: str, events: frozenset[str]
    ) -> None:
        rows = crowd(project)
        store.append(rows)
        window = window_of(project, events=events)
        ticks: list[None] = []
        found = list(store.hours(window, tick=lambda: ticks.append(None)))
        assert found == ([] if events else recount(rows))
        assert len(ticks) > 1

        def stop() -> None:
            raise KeyError("enough")

        with pytest.raises(KeyError, match="enough"):
            list(store.hours(window, tick=stop))


def crowd(project: str) -> list[Row]:
    """More rows of the hour from noon on than a store looks at in one go."""
    row = row_at(NOON_MS, project)
    keys = (row.key[:8] + number.to_bytes(8, "big") for number in range(LOOK_ROWS + 1))
    return [replace(row, key=key, record=b"record") for key in keys]

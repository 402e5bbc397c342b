"""What a comparison finds on any pair of engines: subclass it with fixtures `events` and `series`,
and `harm`, which damages the view of a project behind its store's back."""

import random
from collections.abc import Callable, Sequence

import pytest

from feed.event import HOUR_MS, key_time_ms
from replay.domain import Span
from replay.verification import sides as sides_module
from replay.verification.comparison import Difference
from replay.verification.sides import Sides
from tests.builders import NOON_MS, make_event, make_project_name, make_row
from tests.damage import TAMPERED, Damage
from timeseries.ports import Document, Entry, SeriesStore
from timeseries.projection import project as document_of
from warehouse.ports import EventStore, Row

GENERATION = 1
Harm = Callable[[str], Damage]


def make_rows(project: str, count: int) -> list[Row]:
    """Events of two hours in three names, several of them in the same millisecond."""
    return [
        make_row(
            make_event(
                project=project,
                id=f"e{index}",
                event="abc"[index % 3],
                occurred_at_ms=NOON_MS + index * 2 * HOUR_MS // count // 4 * 4,
            )
        )
        for index in range(count)
    ]


def make_document(project: str, index: int, count: int) -> Document:
    """The document of the row of the same index."""
    event = make_event(
        project=project,
        id=f"e{index}",
        event="abc"[index % 3],
        occurred_at_ms=NOON_MS + index * 2 * HOUR_MS // count // 4 * 4,
    )
    return document_of(event, make_row(event).version, {})


class SidesContract:
    """See the module."""

    @pytest.fixture(autouse=True)
    def _short_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sides_module, "PAGE_ROWS", 7)
        monkeypatch.setattr(sides_module, "PAGE_ENTRIES", 11)

    def test_equal_sides_agree_hour_by_hour(self, events: EventStore, series: SeriesStore) -> None:
        project = make_project_name()
        fill(events, series, project, range(90), range(90), count=90)
        sides = Sides(project, GENERATION, events, series)

        pairs = list(sides.hours(Span(0, 2**48 - 1)))

        assert [(pair.hour_ms, pair.agrees) for pair in pairs] == [
            (NOON_MS, True),
            (NOON_MS + HOUR_MS, True),
        ]
        assert sum(pair.counts[0] for pair in pairs) == 90
        assert differing(sides) == []

    def test_what_either_side_lacks_is_found_to_the_key(
        self, events: EventStore, series: SeriesStore, fault_seed: int
    ) -> None:
        project, rng = make_project_name(), random.Random(fault_seed)
        stored = sorted(rng.sample(range(120), 100))
        shown = sorted(rng.sample(range(120), 100))
        fill(events, series, project, stored, shown, count=120)
        sides = Sides(project, GENERATION, events, series)

        found = differing(sides)

        keys = [row.key for row in make_rows(project, 120)]
        alone = set(stored) ^ set(shown)
        assert {each.key for each in found} == {keys[index] for index in alone}
        missing = {each.key for each in found if each.view is None}
        assert missing == {keys[index] for index in set(stored) - set(shown)}
        resumed = [each for span in hours() for each in sides.differences(span, after=found[2].key)]
        assert resumed == found[3:]

    def test_damage_is_found_to_the_key(
        self, events: EventStore, series: SeriesStore, harm: Harm
    ) -> None:
        project = make_project_name()
        fill(events, series, project, range(60), range(59), count=60)
        rows, damage = make_rows(project, 60), harm(project)

        damage.delete(rows[4].key)
        damage.put(rows[40].key)
        events_of_nobody = make_event(project=project, occurred_at_ms=NOON_MS + 7 * HOUR_MS)
        damage.put(events_of_nobody.key)
        sides = Sides(project, GENERATION, events, series)

        assert [pair.hour_ms for pair in sides.hours(Span(0, 2**48 - 1)) if not pair.agrees] == [
            NOON_MS,
            NOON_MS + HOUR_MS,
            NOON_MS + 7 * HOUR_MS,
        ]
        found = {each.key: each for each in differing(sides, hours(8))}
        assert set(found) == {rows[4].key, rows[40].key, rows[59].key, events_of_nobody.key}
        assert found[rows[4].key].view is found[rows[59].key].view is None
        assert found[rows[40].key].view == Entry(rows[40].key, TAMPERED, 1, 1)
        assert found[rows[40].key].warehouse is not None
        assert found[events_of_nobody.key].warehouse is None

    def test_a_span_cuts_both_sides_alike(self, events: EventStore, series: SeriesStore) -> None:
        project = make_project_name()
        fill(events, series, project, range(60), (), count=60)
        sides = Sides(project, GENERATION, events, series)
        times = sorted(key_time_ms(row.key) for row in make_rows(project, 60))
        span = Span(times[10], times[20])

        within = [time for time in times if span.from_ms <= time < span.to_ms]
        (pair,) = sides.hours(span)
        assert pair.counts == (len(within), 0)
        found = sides.differences(span, after=None)
        assert [key_time_ms(each.key) for each in found] == within


def fill(
    events: EventStore,
    series: SeriesStore,
    project: str,
    stored: Sequence[int],
    shown: Sequence[int],
    *,
    count: int,
) -> None:
    """Put these of so many events on each side."""
    rows = make_rows(project, count)
    events.append([rows[index] for index in stored])
    documents = [make_document(project, index, count) for index in shown]
    assert not series.write([documents], generations=(GENERATION,))


def hours(count: int = 2) -> list[Span]:
    """The hours that the events lie in."""
    return [
        Span(NOON_MS + index * HOUR_MS, NOON_MS + (index + 1) * HOUR_MS) for index in range(count)
    ]


def differing(sides: Sides, spans: Sequence[Span] | None = None) -> list[Difference]:
    """Every difference, hour by hour."""
    return [each for span in spans or hours() for each in sides.differences(span, after=None)]

"""The demonstration shop: believable, deterministic, and admitted without a warning."""

from collections import Counter

from feed.event import ProjectId
from ingest.domain import Admitted, Frame, admit
from operations.shop import as_line, events_between, expected_visits
from tests.builders import NOON_MS

HOUR_MS = 3_600_000


def test_the_same_seed_gives_the_same_events() -> None:
    once = list(events_between(7, NOON_MS, NOON_MS + HOUR_MS, campaign=True))

    assert list(events_between(7, NOON_MS, NOON_MS + HOUR_MS, campaign=True)) == once
    assert list(events_between(8, NOON_MS, NOON_MS + HOUR_MS, campaign=True)) != once


def test_ranges_that_meet_give_each_event_once() -> None:
    middle = NOON_MS + HOUR_MS // 3
    whole = events_between(1, NOON_MS, NOON_MS + HOUR_MS, campaign=True)
    first = events_between(1, NOON_MS, middle, campaign=True)
    second = events_between(1, middle, NOON_MS + HOUR_MS, campaign=True)

    ids = Counter(row["id"] for part in (first, second) for row in part)

    assert ids == Counter(row["id"] for row in whole)
    assert set(ids.values()) == {1}


def test_every_event_is_admitted_as_it_is() -> None:
    frame = Frame(ProjectId("demo"), NOON_MS + HOUR_MS, "seed_demo", None, False)
    rows = list(events_between(1, NOON_MS, NOON_MS + HOUR_MS, campaign=True))

    verdicts = [admit(as_line(row), frame) for row in rows]

    assert len(rows) > 1_000
    assert all(type(verdict) is Admitted and not verdict.warnings for verdict in verdicts)


def test_a_visit_starts_before_it_orders() -> None:
    rows = sorted(
        events_between(1, NOON_MS, NOON_MS + 6 * HOUR_MS), key=lambda row: row["timestamp"]
    )
    begun: set[str] = set()
    ordered = 0
    for row in rows:
        if row["timestamp"] - NOON_MS < HOUR_MS:
            begun.add(row["session_id"])  # these may have begun before the range
        elif row["event"] == "visit.started":
            begun.add(row["session_id"])
        elif row["event"] == "order.completed":
            ordered += 1
            assert row["session_id"] in begun
            assert row["properties"]["amount"] > 0

    assert ordered > 0


def test_evenings_are_busier_than_nights() -> None:
    day = NOON_MS // 60_000 // 1440 * 1440

    assert expected_visits(day + 17 * 60) > 3 * expected_visits(day + 3 * 60)

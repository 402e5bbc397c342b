"""What every SeriesStore keeps of generations that are dropped.

Part of tests/contract/series_store_contract.py, which an adapter's tests subclass.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import SystemRandom
from threading import Barrier

import pytest

from tests.builders import NOON_MS
from tests.contract.series_reading_contract import GENERATION, TIMEOUT_S, count
from tests.series_builders import make_document, make_query
from timeseries.domain import EVERYTHING, CoreField
from timeseries.errors import GenerationDropped
from timeseries.ports import Document, SeriesStore

ROOT = Path(__file__).parents[2]
LIMIT_S = 60
MONTH_MS = 31 * 24 * 3_600_000
DROPPED_AT_ONCE = 3
Remains = Callable[[int], Sequence[str]]


def fresh_generation() -> int:
    """One that no other test drops."""
    return 1_000 + SystemRandom().randrange(1_000_000_000)


def uses_of(
    store: SeriesStore, document: Document, generation: int
) -> Sequence[Callable[[], object]]:
    """Everything that can be asked of a generation."""
    project = document.project
    query = make_query(project=project)
    grouped = make_query(project=project, group_by=(CoreField.EVENT,))
    span = (NOON_MS - 1, NOON_MS + 1)
    return (
        lambda: store.write([[document]], generations=(generation,)),
        lambda: store.restore([[document]], generations=(generation,)),
        lambda: store.figures(query, generation=generation, timeout_s=TIMEOUT_S),
        lambda: store.keys(
            project,
            EVERYTHING,
            generation=generation,
            from_ms=span[0],
            to_ms=span[1],
            before=None,
            limit=5,
        ),
        lambda: store.versions(project, [document.key], generation=generation),
        lambda: list(store.hours(project, *span, generation=generation)),
        lambda: store.entries(project, *span, generation=generation, after=None, limit=5),
        lambda: store.events_seen(project, generation=generation, limit=5),
        lambda: store.values_seen(
            grouped, generation=generation, prefix="", limit=5, timeout_s=TIMEOUT_S
        ),
        lambda: store.data_version(project, generation=generation),
        lambda: store.ensure(generation),
    )


class SeriesDroppingContract:
    """Subclass it with fixtures `store` and `other`, two handles on one view as two processes have
    them, `place`, where a third finds it (series_store_writer), and `remains`, what of a generation
    takes up room there."""

    def test_two_that_drop_one_generation_at_once_have_both_dropped_it(
        self,
        store: SeriesStore,
        other: SeriesStore,
        remains: Remains,
    ) -> None:
        for _ in range(DROPPED_AT_ONCE):
            generation = fresh_generation()
            months = [make_document(at_ms=NOON_MS - index * MONTH_MS) for index in range(4)]
            store.ensure(generation)
            assert not store.write([months], generations=(generation,))
            start = Barrier(2)

            def drop(one: SeriesStore, start: Barrier = start, number: int = generation) -> None:
                start.wait(timeout=LIMIT_S)
                one.drop(number)

            with ThreadPoolExecutor(2) as threads:
                for done in [threads.submit(drop, one) for one in (store, other)]:
                    done.result(timeout=LIMIT_S)
            assert not remains(generation)

    def test_a_dropped_generation_is_gone_for_every_process_and_the_others_stay(
        self, store: SeriesStore, other: SeriesStore, project: str
    ) -> None:
        dropped = fresh_generation()
        document = make_document(project=project)
        for handle in (store, other):
            handle.ensure(dropped)
            handle.write([[document]], generations=(GENERATION, dropped))
            assert handle.versions(project, [document.key], generation=dropped)

        store.drop(dropped)

        for use in (*uses_of(other, document, dropped), *uses_of(store, document, dropped)):
            with pytest.raises(GenerationDropped):
                use()
        assert [count(handle, project) for handle in (store, other)] == [1, 1]

    def test_dropping_twice_is_dropping_once(
        self, store: SeriesStore, other: SeriesStore, project: str
    ) -> None:
        dropped = fresh_generation()
        store.ensure(dropped)
        store.write([[make_document(project=project)]], generations=(dropped,))

        for handle in (store, other, store):
            handle.drop(dropped)

        with pytest.raises(GenerationDropped):
            other.ensure(dropped)
        store.ping(timeout_s=TIMEOUT_S)

    def test_a_generation_that_never_was_made_can_be_dropped(
        self, store: SeriesStore, other: SeriesStore
    ) -> None:
        dropped = fresh_generation()

        store.drop(dropped)

        with pytest.raises(GenerationDropped):
            other.ensure(dropped)

    def test_what_a_dropped_generation_held_is_given_back(
        self, store: SeriesStore, project: str, remains: Remains
    ) -> None:
        dropped = fresh_generation()
        store.ensure(dropped)
        store.write([[make_document(project=project)]], generations=(dropped,))
        assert remains(dropped)

        store.drop(dropped)

        assert remains(dropped) == []

    def test_a_drop_that_was_killed_is_completed_by_another(
        self, store: SeriesStore, other: SeriesStore, project: str, place: str, remains: Remains
    ) -> None:
        dropped = fresh_generation()
        document = make_document(project=project)
        for handle in (store, other):
            handle.ensure(dropped)
            handle.write([[document]], generations=(dropped,))

        assert run_dropper(place, dropped, "view.dropped_before_free") == -signal.SIGKILL
        assert remains(dropped)
        with pytest.raises(GenerationDropped):
            store.ensure(dropped)
        assert run_dropper(place, dropped) == 0

        assert remains(dropped) == []
        for use in (*uses_of(other, document, dropped), *uses_of(store, document, dropped)):
            with pytest.raises(GenerationDropped):
                use()
        assert remains(dropped) == []


def run_dropper(place: str, generation: int, crash_point: str = "") -> int:
    """A process that drops it; its return code."""
    arguments = [place, str(generation), crash_point]
    return subprocess.run(
        [sys.executable, "-m", "tests.contract.series_store_dropper", *arguments],
        cwd=ROOT,
        timeout=LIMIT_S,
        check=False,
    ).returncode

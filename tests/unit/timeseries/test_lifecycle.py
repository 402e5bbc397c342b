"""The life of a generation: begun, ready, served, dropped."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from tests.series_builders import make_document
from tests.unit.timeseries.generation_mover import LIMIT_S, ROOT, check_movers
from timeseries.backends import SERIES_STORE, get_series_store
from timeseries.errors import (
    GenerationDropped,
    GenerationError,
    IllegalGenerationState,
    SeriesUnavailable,
    UnknownGeneration,
)
from timeseries.generations import KEPT_S, READER, read_generations
from timeseries.lifecycle import (
    begin_generation,
    drop_generation,
    finish_drops,
    generation_states,
    give_up_unfinished,
    mark_ready,
    pins,
    rollback,
    swap,
)
from timeseries.models import Generation, GenerationPin, PropertySlot
from timeseries.slots import SlotRegistry

pytestmark = pytest.mark.django_db
State = Generation.State


@pytest.fixture(autouse=True)
def _view(tmp_path: Path) -> Iterator[None]:
    """A view of the test's own, nothing known of another test's rows."""
    READER.forget()
    SERIES_STORE.forget()
    with override_settings(DATA_DIR=tmp_path):
        yield
        get_series_store().close()
    SERIES_STORE.forget()
    READER.forget()


def drop(generation: int) -> None:
    drop_generation(generation, sleep=lambda _s: None)


def states() -> dict[int, Generation.State]:
    return {row.number: row.state for row in generation_states()}


def test_a_generation_that_was_begun_is_written_and_not_served() -> None:
    assert begin_generation() == 2

    found = read_generations()
    assert (found.served, found.written, found.building) == (1, (1, 2), 2)
    assert states() == {1: State.READY, 2: State.BUILDING}
    assert pins(2) == {}


def test_only_one_generation_is_built_at_a_time() -> None:
    begin_generation()

    with pytest.raises(IllegalGenerationState, match="is being built"):
        begin_generation()

    mark_ready(2)
    assert begin_generation() == 3


def test_only_one_that_is_ready_is_served() -> None:
    begin_generation()
    with pytest.raises(IllegalGenerationState, match="generation 2 is building"):
        swap(2)

    mark_ready(2)
    mark_ready(2)
    swap(2)
    swap(2)

    assert read_generations().served == 2
    assert read_generations().written == (1, 2)
    assert read_generations().building is None


def test_a_rollback_serves_what_was_served_before_and_another_one_undoes_it() -> None:
    with pytest.raises(IllegalGenerationState, match="no earlier generation"):
        rollback(1)
    begin_generation()
    mark_ready(2)
    swap(2)

    assert [rollback(2), read_generations().served] == [1, 1]
    with pytest.raises(IllegalGenerationState, match="2 is not served"):
        rollback(2)
    assert [rollback(1), read_generations().served] == [2, 2]
    assert [row.is_previous for row in generation_states()] == [True, False]


def test_the_one_that_is_served_cannot_be_dropped() -> None:
    with pytest.raises(IllegalGenerationState, match="generation 1 is served"):
        drop(1)
    assert states() == {1: State.READY}


def test_only_one_that_is_not_finished_is_given_up_as_unfinished() -> None:
    begin_generation()
    give_up_unfinished(1)
    give_up_unfinished(2)

    assert states() == {1: State.READY, 2: State.DROPPED}


def test_a_dropped_generation_gives_back_all_that_it_held() -> None:
    begin_generation()
    store = get_series_store()
    store.write([[make_document()]], generations=(1, 2))
    for generation in (1, 2):
        SlotRegistry().assign("demo", ["properties.a"], generation)
    GenerationPin.objects.create(generation=2, topic="events", partition=0, position=5)

    drop(2)

    assert states() == {1: State.READY, 2: State.DROPPED}
    assert [row.freed_at is not None for row in generation_states()] == [False, True]
    assert list(PropertySlot.objects.values_list("generation", flat=True)) == [1]
    assert pins(2) == {}
    with pytest.raises(GenerationDropped):
        store.ensure(2)
    assert [each.count for each in store.hours("demo", 0, 2**48 - 1, generation=1)] == [1]
    assert begin_generation() == 3


def test_what_was_dropped_is_neither_made_ready_nor_served_nor_gone_back_to() -> None:
    begin_generation()
    mark_ready(2)
    swap(2)
    drop(1)

    with pytest.raises(IllegalGenerationState, match="no earlier generation"):
        rollback(2)
    for move in (mark_ready, swap):
        with pytest.raises(IllegalGenerationState, match="1"):
            move(1)


def test_a_generation_that_never_was_is_unknown() -> None:
    for move in (mark_ready, swap, drop):
        with pytest.raises(UnknownGeneration, match="no generation 7") as refused:
            move(7)
        assert refused.value.code == "not_found"
    assert GenerationError.code == "illegal_state"


def test_a_drop_that_was_killed_before_it_freed_is_finished_at_the_next_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin_generation()
    store = get_series_store()
    store.write([[make_document()]], generations=(2,))

    def killed(generation: int) -> None:
        raise SeriesUnavailable(f"before {generation} is freed")

    with monkeypatch.context() as patch:
        patch.setattr(store, "drop", killed)
        with pytest.raises(SeriesUnavailable):
            drop(2)
    assert states()[2] is State.DROPPED

    waits: list[float] = []
    assert list(finish_drops(sleep=waits.append)) == [2]

    with pytest.raises(GenerationDropped):
        store.versions("demo", [make_document().key], generation=2)
    assert waits == [KEPT_S]
    assert list(finish_drops(sleep=waits.append)) == []


def test_no_slot_is_given_in_a_generation_that_was_dropped_meanwhile() -> None:
    begin_generation()
    registry = SlotRegistry()
    registry.assign("demo", ["properties.a"], 2)
    drop(2)

    with pytest.raises(GenerationDropped):
        registry.assign("demo", ["properties.b"], 2)
    assert not PropertySlot.objects.filter(generation=2).exists()


def test_processes_that_move_generations_side_by_side_keep_them_in_order(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'movers.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "analyticsproject.settings",
    }
    migrate = [sys.executable, "manage.py", "migrate", "timeseries", "--verbosity=0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, timeout=LIMIT_S)

    check_movers(environment)

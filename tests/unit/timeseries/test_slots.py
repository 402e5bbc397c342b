"""Property slots: given once, unique both ways, known to every process."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.db import IntegrityError

from tests.builders import make_project_name
from tests.fakes import FakeClock
from tests.series_builders import make_document
from tests.unit.timeseries.slot_giver import NAMES as NAMES_GIVEN
from timeseries import slots as slots_module
from timeseries.models import PropertySlot
from timeseries.projection import Several
from timeseries.slots import (
    MAX_EXAMPLE_CHARS,
    MAX_EXAMPLES,
    REMEMBERED_OVER_LIMIT,
    REREAD_AFTER_S,
    SLOTS_A_PROJECT,
    Observation,
    PropertySeen,
    SlotRegistry,
    example_of,
    types_of,
)

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[3]
LIMIT_S = 60
NAMES = ["properties.a", "properties.b", "context.c"]


@pytest.fixture
def project() -> str:
    return make_project_name()


@pytest.fixture
def time() -> FakeClock:
    return FakeClock(elapsed_s=100.0)


@pytest.fixture
def registry(time: FakeClock) -> SlotRegistry:
    return SlotRegistry(time.clock.monotonic_s)


def test_names_get_slots_in_order_and_keep_them(registry: SlotRegistry, project: str) -> None:
    assert registry.assign(project, NAMES[:2], 1) == {NAMES[0]: 0, NAMES[1]: 1}

    assert registry.assign(project, reversed(NAMES), 1) == dict(zip(NAMES, range(3), strict=True))
    assert SlotRegistry().assign(project, (), 1) == dict(zip(NAMES, range(3), strict=True))


def test_projects_and_generations_have_slots_of_their_own(
    registry: SlotRegistry, project: str
) -> None:
    registry.assign(project, NAMES, 1)

    assert registry.assign(project, NAMES[2:], 2) == {NAMES[2]: 0}
    assert registry.assign(make_project_name(), NAMES[1:2], 1) == {NAMES[1]: 0}


def test_two_projectors_give_a_name_the_same_slot(project: str) -> None:
    one, other = SlotRegistry(), SlotRegistry()
    one.assign(project, (), 1)
    other.assign(project, NAMES[:1], 1)

    assert one.assign(project, [NAMES[1], NAMES[0]], 1) == {NAMES[0]: 0, NAMES[1]: 1}


def test_a_slot_that_another_projector_took_first_is_given_anew(
    registry: SlotRegistry, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = slots_module._insert
    other = SlotRegistry()
    attempts: list[str] = []

    def insert_too_late(of: str, generation: int, names: Sequence[str]) -> None:
        attempts.append(of)
        if len(attempts) == 1:
            raise IntegrityError("the slot is taken")
        monkeypatch.setattr(slots_module, "_insert", insert)
        other.assign(of, ["properties.theirs"], generation)
        insert(of, generation, names)

    monkeypatch.setattr(slots_module, "_insert", insert_too_late)

    found = registry.assign(project, ["properties.ours"], 1)
    assert found == {"properties.theirs": 0, "properties.ours": 1}


def test_a_conflict_that_never_ends_is_told(
    registry: SlotRegistry, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def conflict(of: str, generation: int, names: Sequence[str]) -> None:
        raise IntegrityError("always")

    monkeypatch.setattr(slots_module, "_insert", conflict)

    with pytest.raises(IntegrityError, match="always"):
        registry.assign(project, NAMES, 1)


def test_many_projectors_at_once_give_each_name_one_slot_and_each_slot_one_name(
    tmp_path: Path, project: str
) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'django.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "analyticsproject.settings",
    }
    migrate = [sys.executable, "manage.py", "migrate", "timeseries", "--verbosity=0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, timeout=LIMIT_S)
    module = "tests.unit.timeseries.slot_giver"
    givers = [
        subprocess.Popen(
            [sys.executable, "-m", module, project, str(offset)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
        )
        for offset in range(3)
    ]
    found = [json.loads(giver.communicate(timeout=LIMIT_S)[0]) for giver in givers]

    complete = max(found, key=len)
    assert sorted(complete) == sorted(NAMES_GIVEN)
    assert sorted(complete.values()) == list(range(len(NAMES_GIVEN)))
    assert all(each.items() <= complete.items() for each in found)


def test_names_beyond_the_limit_have_no_slot_and_are_remembered(
    registry: SlotRegistry, project: str
) -> None:
    names = [f"properties.p{index:04}" for index in range(SLOTS_A_PROJECT + 2)]

    slots = registry.assign(project, names, 1)

    assert len(slots) == SLOTS_A_PROJECT
    assert sorted(slots.values()) == list(range(SLOTS_A_PROJECT))
    assert names[-1] not in slots
    assert registry.lookup(project, names[-1], 1) is None
    assert registry.is_over_limit(project, names[-1], 1)
    assert not registry.is_over_limit(project, names[0], 1)
    assert not registry.is_over_limit(project, "properties.never-sent", 1)


def test_memory_of_names_beyond_the_limit_is_bounded_and_then_all_unknown_are_taken_for_them(
    registry: SlotRegistry, project: str
) -> None:
    many = SLOTS_A_PROJECT + REMEMBERED_OVER_LIMIT
    registry.assign(project, [f"properties.p{index}" for index in range(many + 50)], 1)

    assert PropertySlot.objects.filter(project=project).count() == many
    assert registry.is_over_limit(project, "properties.never-sent", 1)
    assert not registry.is_over_limit(project, "properties.p0", 1)


def test_once_full_new_names_cost_no_query(
    registry: SlotRegistry, project: str, django_assert_num_queries: object
) -> None:
    many = SLOTS_A_PROJECT + REMEMBERED_OVER_LIMIT
    registry.assign(project, [f"properties.p{index}" for index in range(many)], 1)

    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        registry.assign(project, ["properties.new", "properties.p0"], 1)


def test_known_names_cost_no_query(
    registry: SlotRegistry, project: str, django_assert_num_queries: object
) -> None:
    registry.assign(project, NAMES, 1)

    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        registry.assign(project, NAMES, 1)
        assert registry.lookup(project, NAMES[0], 1) == 0


def test_a_name_that_another_process_gave_a_slot_is_found_at_once(
    registry: SlotRegistry, project: str, time: FakeClock, django_assert_num_queries: object
) -> None:
    assert registry.lookup(project, NAMES[0], 1) is None
    SlotRegistry().assign(project, NAMES, 1)

    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        assert registry.lookup(project, NAMES[0], 1) is None
    time.move(2 * REREAD_AFTER_S)
    assert registry.lookup(project, NAMES[0], 1) == 0


def test_types_and_examples_are_noted_once_and_listed(
    registry: SlotRegistry, project: str, django_assert_num_queries: object
) -> None:
    registry.assign(project, NAMES, 1)
    seen = {
        NAMES[0]: Observation(frozenset({"string"}), "x"),
        NAMES[1]: Observation(frozenset({"number", "array"}), 3.0),
        "properties.unknown": Observation(frozenset({"string"}), "y"),
    }
    registry.observe(project, seen, 1)
    registry.observe(project, {NAMES[0]: Observation(frozenset({"boolean"}), True)}, 1)

    assert registry.listing(project, 1) == [
        PropertySeen(NAMES[2], 2, (), ()),
        PropertySeen(NAMES[0], 0, ("boolean", "string"), ("x", True)),
        PropertySeen(NAMES[1], 1, ("array", "number"), (3.0,)),
    ]
    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        registry.observe(project, seen, 1)


def test_examples_are_few_and_short(registry: SlotRegistry, project: str) -> None:
    registry.assign(project, NAMES[:1], 1)
    for kind, example in (("string", "a"), ("number", 1.0), ("boolean", True), ("array", "b")):
        registry.observe(project, {NAMES[0]: Observation(frozenset({kind}), example)}, 1)

    (listed,) = registry.listing(project, 1)
    assert len(listed.examples) == MAX_EXAMPLES
    assert example_of("x" * 500) == "x" * MAX_EXAMPLE_CHARS
    assert example_of(Several([2.0, "x"])) == 2.0


def test_documents_whose_types_are_all_known_are_covered(
    registry: SlotRegistry, project: str
) -> None:
    registry.assign(project, NAMES, 1)
    registry.observe(project, {NAMES[0]: Observation(frozenset({"string"}), "x")}, 1)
    kinds = registry.kinds(project, 1)

    assert kinds.cover(make_document(values={0: "y"}))
    assert not kinds.cover(make_document(values={0: 1.0}))
    assert not kinds.cover(make_document(values={1: "y"}))
    assert not kinds.cover(make_document(values={0: True}))


@pytest.mark.parametrize(
    ("value", "types"),
    [
        ("x", {"string"}),
        (1.0, {"number"}),
        (True, {"boolean"}),
        (Several(["x", 1.0, True]), {"array", "string", "number", "boolean"}),
    ],
)
def test_types_are_named_as_people_know_them(value: object, types: set[str]) -> None:
    assert types_of(value) == types  # type: ignore[arg-type]  # the cases are flattened values

"""Which generation is served and which are written."""

import pytest
from django.db import IntegrityError, transaction

from tests.fakes import FakeClock
from timeseries.generations import KEPT_S, GenerationReader, Generations
from timeseries.models import Generation, ServedGeneration

pytestmark = pytest.mark.django_db


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def reader(time: FakeClock) -> GenerationReader:
    return GenerationReader(time.clock.monotonic_s)


def test_the_first_generation_is_served_and_written_from_the_start(
    reader: GenerationReader,
) -> None:
    assert reader.current() == Generations(served=1, written=(1,))


def test_every_generation_that_is_not_dropped_is_written(reader: GenerationReader) -> None:
    Generation.objects.create(number=3, state=Generation.State.BUILDING)
    Generation.objects.create(number=2, state=Generation.State.DROPPED)

    assert reader.current() == Generations(served=1, written=(1, 3), building=3)


def test_a_swap_takes_effect_within_the_time_that_an_answer_is_kept(
    reader: GenerationReader, time: FakeClock, django_assert_num_queries: object
) -> None:
    reader.current()
    Generation.objects.create(number=2, state=Generation.State.READY)
    ServedGeneration.objects.update(generation=2)

    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        assert reader.current().served == 1
    time.move(KEPT_S)
    assert reader.current() == Generations(served=2, written=(1, 2))


def test_what_is_forgotten_is_read_anew(reader: GenerationReader) -> None:
    reader.current()
    Generation.objects.create(number=2, state=Generation.State.BUILDING)

    reader.forget()

    assert reader.current() == Generations(served=1, written=(1, 2), building=2)


def test_only_one_generation_is_served_and_it_cannot_go(reader: GenerationReader) -> None:
    second = Generation.objects.create(number=2, state=Generation.State.READY)

    with pytest.raises(IntegrityError), transaction.atomic():
        ServedGeneration.objects.create(id=2, generation=second)
    with pytest.raises(IntegrityError), transaction.atomic():
        Generation.objects.filter(number=1).delete()
    assert str(ServedGeneration.objects.get()) == "generation 1 is served"
    assert str(second) == "generation 2 (ready)"

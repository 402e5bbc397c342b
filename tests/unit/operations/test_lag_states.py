"""State words and drain times, from samples alone."""

from collections.abc import Sequence

import pytest

from feed.lag import PartitionLag
from operations.lag_states import LagState, Sample, drains_in_s, state_of, worst
from tests.builders import NOON_MS

STEP_S = 5


def make_samples(
    positions: Sequence[int | None], ends: Sequence[int], *, waited_s: float = 60, start: int = 0
) -> list[Sample]:
    """One sample each five seconds."""
    return [
        Sample(
            NOON_MS + number * STEP_S * 1000,
            PartitionLag(
                group="projector",
                topic="events",
                partition=0,
                start=start,
                committed=position,
                committed_at_ms=None,
                end=end,
                lag=end - (position or 0),
                lag_seconds=waited_s if end > (position or 0) else 0.0,
            ),
        )
        for number, (position, end) in enumerate(zip(positions, ends, strict=True))
    ]


def test_nothing_to_read_is_ok() -> None:
    assert state_of(make_samples([9, 9], [9, 9]), has_members=True) is LagState.OK


def test_records_that_have_hardly_waited_are_ok_although_lag_rises() -> None:
    samples = make_samples([1, 2, 3], [10, 20, 30], waited_s=5.0)

    assert state_of(samples, has_members=True) is LagState.OK


def test_a_shrinking_lag_is_catching_up() -> None:
    samples = make_samples([100, 200, 300], [1000, 1010, 1020])

    assert state_of(samples, has_members=True) is LagState.CATCHING_UP


def test_one_look_cannot_say_more_than_catching_up() -> None:
    assert state_of(make_samples([1], [1000]), has_members=True) is LagState.CATCHING_UP


def test_a_lag_that_rises_at_every_step_is_falling_behind() -> None:
    samples = make_samples([100, 110, 120], [1000, 1100, 1200])

    assert state_of(samples, has_members=True) is LagState.FALLING_BEHIND


def test_one_step_down_ends_falling_behind() -> None:
    samples = make_samples([100, 300, 310], [1000, 1100, 1200])

    assert state_of(samples, has_members=True) is LagState.CATCHING_UP


@pytest.mark.parametrize(
    ("count", "state"),
    [(3, LagState.CATCHING_UP), (4, LagState.STALLED), (13, LagState.STOPPED)],
)
def test_a_position_that_stands_is_stalled_then_stopped(count: int, state: LagState) -> None:
    samples = make_samples([7] * count, [1000] * count)

    assert state_of(samples, has_members=True) is state


def test_the_time_before_there_was_anything_to_read_does_not_count_as_standing() -> None:
    samples = make_samples([7] * 5, [7, 7, 7, 1000, 1000])

    assert state_of(samples, has_members=True) is LagState.CATCHING_UP


@pytest.mark.parametrize("position", [None, 3, 1000])
def test_a_group_without_members_has_no_consumer_whatever_its_lag(position: int | None) -> None:
    assert state_of(make_samples([position], [1000]), has_members=False) is LagState.NO_CONSUMER


@pytest.mark.parametrize("position", [None, 3])
def test_records_deleted_unread_are_data_loss_before_all_else(position: int | None) -> None:
    samples = make_samples([position], [1000], start=4)

    assert state_of(samples, has_members=False) is LagState.DATA_LOSS


def test_the_drain_time_follows_from_how_fast_the_lag_shrinks() -> None:
    # 20 records less in 10 s leave 60: another 30 s.
    assert drains_in_s(make_samples([20, 30, 40], [100, 100, 100])) == 30.0


@pytest.mark.parametrize(
    ("positions", "ends", "expected"),
    [([5], [5], 0.0), ([5], [9], None), ([5, 6], [9, 10], None), ([5, 6], [9, 20], None)],
)
def test_the_drain_time_is_0_without_lag_and_unknown_while_it_does_not_shrink(
    positions: list[int | None], ends: list[int], expected: float | None
) -> None:
    assert drains_in_s(make_samples(positions, ends)) == expected


def test_the_worst_state_is_the_one_that_asks_most_for_attention() -> None:
    assert worst([]) is LagState.OK
    assert worst(list(LagState)) is LagState.DATA_LOSS
    assert worst([LagState.OK, LagState.STALLED, LagState.CATCHING_UP]) is LagState.STALLED

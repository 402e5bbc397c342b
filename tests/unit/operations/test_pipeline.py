"""Lag rows, stages and samples of a real pipeline on embedded engines."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.test.utils import override_settings

from feed.backends import FEED
from feed.errors import FeedUnavailable
from feed.lag import PartitionLag
from feed.ports import Member
from feed.topics import Group, Topic
from operations import samples
from operations.lag_states import LagState
from operations.models import PipelineSample
from operations.pipeline import LagRow, View, look
from operations.samples import READERS, Snapshot
from operations.serializers import LagSerializer, StatusSerializer
from operations.stages import rate_at, rates, stages
from operations.status import status
from tests.builders import NOON_MS, make_event
from tests.local_pipeline import LocalPipeline


def rows_of(view: View, group: Group) -> Sequence[LagRow]:
    return [row for row in view.rows if row.group == group]


def test_every_group_has_a_row_for_every_partition(pipeline: LocalPipeline) -> None:
    view = look()

    assert {(row.group, row.topic) for row in view.rows} == {
        (group.value, topic.value) for group, topic in READERS
    }
    assert sorted(row.partition for row in rows_of(view, Group.SINK)) == [0, 1, 2, 3]
    assert {row.lane for row in rows_of(view, Group.PROJECTOR_HISTORY)} == {"history"}
    assert {row.lane for row in rows_of(view, Group.PROJECTOR)} == {"live"}


def test_lag_is_what_the_group_has_not_committed(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event(id=str(number)) for number in range(20)])
    pipeline.store()

    view = look()

    assert sum(row.lag or 0 for row in rows_of(view, Group.SINK)) == 0
    assert sum(row.lag or 0 for row in rows_of(view, Group.PROJECTOR)) == 20
    assert {row.state for row in rows_of(view, Group.PROJECTOR)} == {LagState.NO_CONSUMER}
    assert view.state is LagState.NO_CONSUMER


def test_looks_within_one_slot_keep_one_sample(pipeline: LocalPipeline) -> None:
    snapshot = samples.take(pipeline.feed, now_ms=NOON_MS)

    samples.keep(snapshot)
    samples.keep(Snapshot(NOON_MS + samples.STEP_MS - 1, []))
    samples.keep(Snapshot(NOON_MS + samples.STEP_MS, []))

    assert [kept.taken_at_ms for kept in samples.kept_since(NOON_MS)] == [
        NOON_MS,
        NOON_MS + samples.STEP_MS,
    ]
    assert samples.kept_since(NOON_MS)[0] == snapshot


def test_samples_older_than_an_hour_are_forgotten(pipeline: LocalPipeline) -> None:
    samples.keep(Snapshot(NOON_MS, []))

    samples.keep(Snapshot(NOON_MS + samples.KEPT_MS + 2 * samples.STEP_MS, []))

    assert PipelineSample.objects.count() == 1


class Unreachable:
    """A feed that cannot be asked, behind the process's handle."""

    def __init__(self, url: str, options: object, data_dir: object) -> None:
        pass

    def members(self, group: str) -> Sequence[Member]:
        raise FeedUnavailable

    has_members: Any = members
    bounds: Any = members
    committed: Any = lambda self, group, topic: self.members(group)  # noqa: E731

    def close(self) -> None:
        pass


def test_without_the_feed_the_last_known_rows_are_unknown_never_0(
    pipeline: LocalPipeline,
) -> None:
    known = look()
    entry = {"BACKEND": f"{__name__}.Unreachable", "URL": "", "OPTIONS": {}}
    FEED.forget()
    try:
        with override_settings(FEED=entry):
            found = status()
            view = look()
    finally:
        FEED.forget()

    assert len(view.rows) == len(known.rows)
    assert {(row.lag, row.end, row.state) for row in view.rows} == {(None, None, LagState.UNKNOWN)}
    assert {(one.total, one.per_minute, one.state) for one in found.stages} == {
        (None, None, LagState.UNKNOWN)
    }


def test_the_status_counts_every_stage(pipeline: LocalPipeline) -> None:
    pipeline.publish_events([make_event(id=str(number)) for number in range(7)])
    pipeline.store()

    totals = {stage.name: stage.total for stage in status().stages}

    assert totals == {
        "received": 7,
        "stored": 7,
        "projected": 0,
        "replayed": 0,
        "dead_letters": 0,
    }


def test_what_is_served_as_json_has_the_contracts_members(pipeline: LocalPipeline) -> None:
    lag: Any = LagSerializer(look()).data  # Any: JSON
    shown: Any = StatusSerializer(status()).data

    assert list(lag["data"][0]) == [
        *("group", "topic", "partition", "lane", "committed", "end"),
        *("lag", "lag_seconds", "drains_in_s", "state"),
    ]
    assert lag["next_cursor"] is None
    assert set(shown) == {"as_of", "state", "generation", "stages", "per_minute"}


def make_snapshot(second: int, received: int, stored: int) -> Snapshot:
    return Snapshot(
        NOON_MS + second * 1000,
        [
            PartitionLag(
                group=Group.SINK.value,
                topic=Topic.EVENTS.value,
                partition=0,
                start=0,
                committed=stored,
                committed_at_ms=None,
                end=received,
                lag=received - stored,
                lag_seconds=0.0,
            )
        ],
    )


def test_rates_are_records_a_minute_over_the_last_samples() -> None:
    history = [make_snapshot(0, 0, 0), make_snapshot(5, 10, 5), make_snapshot(10, 20, 10)]

    charted = rates(history)

    assert charted.times_ms == [NOON_MS + 5_000, NOON_MS + 10_000]
    assert charted.by_stage["received"] == [120.0, 120.0]
    assert charted.by_stage["stored"] == [60.0, 60.0]


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_gap_in_the_samples_is_a_gap_in_the_chart(seconds: int) -> None:
    history = [make_snapshot(0, 0, 0), make_snapshot(seconds, 10, 5)]

    assert rate_at(history, 1, "received", over_ms=60_000) is None


def test_a_group_that_is_moved_back_has_rate_0_not_below() -> None:
    history = [make_snapshot(0, 10, 10), make_snapshot(5, 10, 3)]

    assert rate_at(history, 1, "stored", over_ms=60_000) == 0.0


def test_a_stage_does_not_drain_while_one_of_its_partitions_does_not(
    pipeline: LocalPipeline,
) -> None:
    pipeline.publish_events([make_event(id="only")])

    stage = {one.name: one for one in stages(look())}["stored"]

    assert stage.lag == 1
    assert stage.drains_in_s is None

"""The pipeline with its warehouse on a real Cassandra, feed and view embedded."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.cassandra_keyspace import Keyspace, drop
from tests.e2e.under_load import under_load

SINK_POINTS = ("sink.before_write", "sink.mid_batch", "sink.after_write", "consume.after_commit")


@pytest.fixture
def keyspace(cassandra_url: str) -> Iterator[Keyspace]:
    """A name: `ensure_engines` makes the keyspace."""
    named = Keyspace(cassandra_url)
    yield named
    store = named.open()
    drop(store, named.name)
    store.close()


def test_sinks_killed_under_load_lose_and_double_nothing_and_the_export_has_every_event(
    tmp_path: Path, keyspace: Keyspace, fault_seed: int
) -> None:
    rng = random.Random(fault_seed)
    settings = {"WEIR_WAREHOUSE_URL": keyspace.url()}
    with under_load(tmp_path, fault_seed, settings) as run:
        for point in rng.sample(SINK_POINTS, 2):
            run.crash_at("sink", point, nth=rng.randint(1, 3))
            run.wait_for_progress()
        stack, journal = run.stack, run.journal
    lines = stack.manage("export_events", "--project", run.credentials.project).splitlines()
    exported = [json.loads(line)["id"] for line in lines]
    assert len(exported) == len(set(exported))
    assert len(exported) >= len(journal.acknowledged)

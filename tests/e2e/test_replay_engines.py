"""Replays on Kafka, Cassandra and Elasticsearch: year-old events live on topic history, a damaged
view is restored, a killed replayer is followed by another."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.e2e.replays import Past, past
from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, SETTINGS, own_settings
from tests.stack import wait_until

COUNT = 3_000
ENDED = ("completed", "completed_with_errors", "failed")


def damage(world: Past) -> None:
    """Delete one in three documents by hand."""
    url = urlsplit(world.stack.settings[SETTINGS[ELASTICSEARCH]])
    prefix = parse_qs(url.query)["index_prefix"][0]
    with httpx.Client(base_url=f"http://{url.netloc}", timeout=60) as server:
        search = {"query": {"term": {"e": "order"}}, "size": COUNT}
        found = server.post(f"/{prefix}-events-*/_search", json=search).raise_for_status().json()
        lines = [json.dumps({"delete": _address(hit)}) for hit in found["hits"]["hits"]]
        assert len(lines) == COUNT // 3
        server.post(
            "/_bulk?refresh=true",
            content="\n".join([*lines, ""]),
            headers={"Content-Type": "application/x-ndjson"},
        ).raise_for_status()


def _address(hit: Any) -> dict[str, str]:  # Any: JSON
    return {"_index": hit["_index"], "_id": hit["_id"], "routing": hit["_routing"]}


@pytest.mark.e2e
def test_a_damaged_view_is_restored_by_a_replay_that_is_killed_on_its_way(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    engines = (KAFKA, CASSANDRA, ELASTICSEARCH)
    with own_settings(request, engines) as settings, past(tmp_path, COUNT, settings) as world:
        before = world.figures()
        damage(world)
        assert world.figures() != before
        stack = world.stack
        stack.start("projector")
        stack.start("replayer", crash_point="replay.after_save:1")

        replay = world.replay(max_eps=1_000)
        wait_until("the replayer dies", lambda: not stack.is_running("replayer"))
        stack.kill("replayer")
        stack.start("replayer")
        done = world.wait_for(replay, *ENDED)

        progress = done["progress"]
        assert done["state"] == "completed"
        assert progress["estimated"] == progress["emitted"] == progress["projected"] == COUNT
        assert world.figures() == before
        assert stack.stop("replayer") == 0

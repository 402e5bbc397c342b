"""Replays on Kafka, Cassandra and Elasticsearch: year-old events live on topic history until they
are projected, a damaged view is restored, a killed replayer is followed by another, and people's
orders are obeyed."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.damage import ElasticsearchDamage
from tests.e2e.replays import Past, past
from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, SETTINGS, own_settings
from tests.stack import wait_until

COUNT = 3_000
CHANGED = 30
ENDED = ("completed", "completed_with_errors", "failed")


def damage(world: Past) -> None:
    """Delete one in three documents by hand, and change some others."""
    view = world.stack.settings[SETTINGS[ELASTICSEARCH]]
    url = urlsplit(view)
    prefix = parse_qs(url.query)["index_prefix"][0]
    by_hand = ElasticsearchDamage(view, world.credentials.project)
    for number in range(0, CHANGED * 3, 3):
        by_hand.put(world.key(number))
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
    return {"_index": hit["_index"], "_id": hit["_id"]}


@pytest.mark.e2e
def test_a_damaged_view_is_restored_and_replays_do_as_they_are_told(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    engines = (KAFKA, CASSANDRA, ELASTICSEARCH)
    with own_settings(request, engines) as settings, past(tmp_path, COUNT, settings) as world:
        before = world.figures()
        damage(world)
        assert world.figures() != before

        survive_a_kill(world)
        assert world.figures() == before

        obey(world)
        assert world.figures() == before
        assert world.stack.stop("replayer") == 0


def survive_a_kill(world: Past) -> None:
    """A replayer is killed on its way; no projector runs until another has emitted the rest."""
    stack = world.stack
    stack.start("replayer", crash_point="replay.after_save:1")
    replay = world.replay(max_eps=1_000)
    wait_until("the replayer dies", lambda: not stack.is_running("replayer"))
    stack.kill("replayer")
    stack.start("replayer")
    world.wait_for(replay, "draining")
    stack.start("projector")

    done = world.wait_for(replay, *ENDED)
    progress = done["progress"]
    assert done["state"] == "completed"
    assert progress["estimated"] == progress["emitted"] == progress["projected"] == COUNT


def obey(world: Past) -> None:
    """Pause, resume, a new rate; then another one that is cancelled on its way."""
    second = world.replay(max_eps=200)
    world.wait_for_emission(second)
    world.tell(second, "pause")
    paused = world.wait_for(second, "paused")
    assert 0 < paused["progress"]["emitted"] < COUNT
    world.tell(second, "resume")
    world.change_rate(second, max_eps=None)
    assert world.wait_for(second, *ENDED)["state"] == "completed"

    third = world.replay(max_eps=200)
    world.wait_for_emission(third)
    world.tell(third, "cancel")
    cancelled = world.wait_for(third, "cancelled", *ENDED)
    assert (cancelled["state"], cancelled["error"]) == ("cancelled", None)
    assert 0 < cancelled["progress"]["emitted"] < COUNT

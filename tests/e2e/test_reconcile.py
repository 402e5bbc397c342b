"""Warehouse and view of a running pipeline are compared to the key: damage is named exactly, lag
and events on their way are not taken for it."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from feed.event import event_key, key_text
from tests.damage import Damage, ElasticsearchDamage, EmbeddedDamage
from tests.engine_names import CASSANDRA, ELASTICSEARCH, KAFKA, SETTINGS, own_settings
from tests.oracle import Generator, Journal
from tests.stack import ROOT, Credentials, Stack, wait_until

pytestmark = pytest.mark.e2e
AT_MS = 1_793_534_400_000  # 2026-11-01T12:00:00Z
STEP_MS = 5 * 60_000
LIMIT_S = 900
PATIENTLY = "--wait=600"
EVERY: Sequence[str] = (KAFKA, CASSANDRA, ELASTICSEARCH)


@contextmanager
def running(
    request: pytest.FixtureRequest, folder: Path, engines: Sequence[str]
) -> Iterator[Stack]:
    """The whole pipeline on these engines, the rest embedded."""
    with own_settings(request, engines) as settings, Stack(folder, settings=settings) as stack:
        stack.start_all()
        yield stack


def damage_to(stack: Stack, project: str) -> Damage:
    """To the view that the stack has."""
    url = stack.settings.get(SETTINGS[ELASTICSEARCH])
    return ElasticsearchDamage(url, project) if url else EmbeddedDamage(stack.data_dir, project)


def send(stack: Stack, credentials: Credentials, ids: Sequence[int], *, ack: str) -> None:
    """Events of these numbers, one every five minutes."""
    rows = [
        {"event": "order", "id": str(number), "timestamp": AT_MS + number * STEP_MS}
        for number in ids
    ]
    answer = httpx.post(
        f"{stack.url}/v1/events?ack={ack}&wait=25",
        headers=credentials.headers,
        json=rows,
        timeout=60,
    )
    assert answer.json()["ack"] == ack, answer.text


def reconcile(
    stack: Stack, project: str, *arguments: str
) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """The exit code, the hours and the summary."""
    done = subprocess.run(
        [sys.executable, "manage.py", "reconcile", "--project", project, "--json", *arguments],
        cwd=ROOT,
        env=stack.environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout, done.stderr
    *hours, summary = map(json.loads, done.stdout.splitlines())
    return done.returncode, hours, summary


def kinds(hours: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """How each key that is named differs."""
    return {each["key"]: each["kind"] for hour in hours for each in hour["differences"]}


@pytest.mark.parametrize("engines", [(), EVERY], ids=["embedded", "servers"])
def test_damage_is_named_to_the_key_and_lag_is_none(
    request: pytest.FixtureRequest, tmp_path: Path, engines: Sequence[str]
) -> None:
    with running(request, tmp_path, engines) as stack:
        credentials = stack.create_project("shop")
        keys = [event_key("shop", str(number), AT_MS + number * STEP_MS) for number in range(60)]
        send(stack, credentials, range(59), ack="projected")

        code, hours, summary = reconcile(stack, "shop")
        assert (code, summary["state"], kinds(hours)) == (0, "same", {})
        assert [hour["counts"]["view"] for hour in hours] == [12, 12, 12, 12, 11]
        assert (summary["counts"]["warehouse"], summary["counts"]["on_the_way"]) == (59, 0)

        damage = damage_to(stack, "shop")
        damage.delete(keys[3])
        damage.put(keys[30])
        damage.put(keys[59])
        named = {
            key_text(keys[3]): "missing",
            key_text(keys[30]): "changed",
            key_text(keys[59]): "extra",
        }
        code, hours, summary = reconcile(stack, "shop")
        assert (code, summary["state"], kinds(hours)) == (1, "different", named)
        assert [hour["state"] for hour in hours] == [
            *("different", "same", "different", "same", "different"),
        ]

        other = stack.create_project("late")
        stack.kill("projector")
        send(stack, other, range(24), ack="stored")
        code, hours, summary = reconcile(stack, "late", "--wait=1")
        assert (code, summary["state"], kinds(hours)) == (2, "lagging", {})
        assert (summary["counts"]["warehouse"], summary["counts"]["view"]) == (24, 0)
        assert "projector" in summary["lag"] or "view" in summary["lag"]

        stack.start("projector")
        code, hours, summary = reconcile(stack, "late")
        assert (code, summary["state"], kinds(hours)) == (0, "same", {})
        assert summary["counts"]["warehouse"] == 24
        assert kinds(reconcile(stack, "shop")[1]) == named


@pytest.mark.parametrize(
    "engines",
    [
        pytest.param((), id="embedded"),
        pytest.param(EVERY, id="servers", marks=pytest.mark.faults),
    ],
)
def test_events_that_come_all_the_while_are_no_differences(
    request: pytest.FixtureRequest, tmp_path: Path, engines: Sequence[str], fault_seed: int
) -> None:
    rng = random.Random(fault_seed)
    with running(request, tmp_path, engines) as stack:
        credentials = stack.create_project("busy")
        journal = Journal(tmp_path / "journal")
        with Generator(stack.url, credentials, journal, fault_seed, workers=2, pause_s=0.1):
            wait_until("events come", lambda: len(journal.answers) > 500)
            old = sorted(journal.acknowledged)
            for _ in range(2):
                code, hours, summary = reconcile(stack, "busy", PATIENTLY)
                assert (code, summary["state"], kinds(hours)) == (0, "same", {}), summary
                assert summary["counts"]["warehouse"] > 0
            victim = rng.choice(old)  # projected by now, and not sent again
            damage_to(stack, "busy").delete(victim)
            code, hours, summary = reconcile(stack, "busy", PATIENTLY)
            assert (code, kinds(hours)) == (1, {key_text(victim): "missing"}), summary

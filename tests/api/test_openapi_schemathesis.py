"""Schemathesis against the served document finds nothing: every answer is a documented one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from analyticsproject.openapi import ConflictingParts, _merge, document
from tests.stack import Stack

LIMIT_S = 300.0
EXAMPLES = 4
SEED = 20261101
CONFIG = Path(__file__).with_name("schemathesis.toml")
SCOPES = ("ingest", "query", "operate", "replay", "repair")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("schemathesis")) as running:
        running.start_all()
        yield running


def operator_token(stack: Stack) -> str:
    more = [part for scope in SCOPES[2:] for part in ("--scope", scope)]
    made = json.loads(stack.manage("create_project", "fuzz", *more, "--json"))
    key_file = stack.data_dir / "fuzz.pem"
    key_file.write_text(made["private_key"])
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    return stack.manage(
        "mint_token", "--project", "fuzz", *scopes, "--private-key", str(key_file)
    ).strip()


def operations() -> list[dict[str, Any]]:
    return [operation for path in document()["paths"].values() for operation in path.values()]


@pytest.mark.e2e
def test_schemathesis_finds_nothing(stack: Stack, tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"),
            f"{stack.url}/v1/openapi.json",
            *("-H", f"Authorization: Bearer {operator_token(stack)}"),
            *("--max-examples", str(EXAMPLES), "--seed", str(SEED)),
            *("--generation-database", "none", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout[-20_000:]
    assert f"Tested: {len(operations())}" in ran.stdout
    assert httpx.get(f"{stack.url}/healthz", timeout=10).status_code == 200


def test_the_document_describes_every_door() -> None:
    paths = set(document()["paths"])

    assert paths >= {
        *("/v1/events", "/v1/limits", "/v1/whoami", "/v1/query/series", "/v1/query/total"),
        *("/v1/query/top", "/v1/query/events", "/v1/meta/events", "/v1/meta/properties"),
        *("/v1/lag", "/v1/status", "/v1/trace", "/v1/events/{key}/trace", "/v1/reconcile"),
        *("/healthz", "/readyz", "/metrics"),
    }


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for operation in operations()]

    assert len(set(ids)) == len(ids)


def test_parts_that_describe_one_thing_differently_are_refused() -> None:
    whole = {"paths": {"/v1/x": {"get": 1}}, "components": {}}

    with pytest.raises(ConflictingParts, match="/v1/x is described twice"):
        _merge(whole, {"paths": {"/v1/x": {"get": 2}}})

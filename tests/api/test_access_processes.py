"""New, rotated and revoked keys reach a running process within 5 s, with commands in processes of
their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from access.claims import Scope
from access.key_pairs import load_private_key
from access.services import staff_token
from access.tokens import mint

EFFECT_S = 5.0
COMMAND_S = 120.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A data folder of its own; the secret key of this process."""
    return os.environ | {
        "WEIR_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "analyticsproject.settings",
    }


class Judge:
    """A running process that judges credentials."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.api.key_judge"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self, kind: str, text: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{kind} {text}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def soon_says(self, kind: str, text: str, expected: str) -> None:
        """Ask until the answer is the expected one, for as long as a change may take."""
        until_s = time.monotonic() + EFFECT_S
        answer = self.says(kind, text)
        while answer != expected and time.monotonic() < until_s:
            time.sleep(0.05)
            answer = self.says(kind, text)
        assert answer == expected


@pytest.fixture
def judge(environment: Mapping[str, str]) -> Iterator[Judge]:
    run(environment, "migrate", "--verbosity", "0")
    judge = Judge(environment)
    yield judge
    judge.process.communicate(timeout=COMMAND_S)


def run(environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def token_of(keys: Mapping[str, Any]) -> str:
    return mint(
        load_private_key(keys["private_key"]),
        scopes=[Scope.QUERY],
        now_s=time.time(),
        ttl_s=600,
        subject="test",
    )


def test_keys_come_change_and_go_within_seconds(
    environment: Mapping[str, str], judge: Judge
) -> None:
    # The judge's first answer starts its thread: what follows are changes to a running process.
    assert judge.says("token", staff_token("shop", [Scope.QUERY], 300)) == "ok"
    assert judge.says("write_key", "wk_unknown") == "unauthorized"

    created = json.loads(run(environment, "create_project", "shop", "--json"))
    token = token_of(created)
    judge.soon_says("token", token, "ok")
    judge.soon_says("write_key", created["write_key"], "ok")

    rotated = json.loads(run(environment, "rotate_key", created["kid"], "--overlap", "0", "--json"))
    judge.soon_says("token", token, "invalid_token")
    successor = token_of(rotated)
    judge.soon_says("token", successor, "ok")

    run(environment, "revoke_key", rotated["kid"])
    judge.soon_says("token", successor, "invalid_token")
    run(environment, "revoke_key", created["write_key"][:11])
    judge.soon_says("write_key", created["write_key"], "unauthorized")


def test_a_mistyped_command_is_one_sentence_and_status_1(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    run(environment, "migrate", "--verbosity", "0")
    done = subprocess.run(
        [sys.executable, "manage.py", "create_project", "Not A Slug"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "is no project name" in done.stderr

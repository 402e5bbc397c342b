"""create_project, mint_token, rotate_key, revoke_key as they are typed."""

import json
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from access.claims import Claims
from access.key_loading import load_snapshot
from access.keys import write_key_digest
from access.models import SigningKey, WriteKey
from access.tokens import verify
from tests.builders import make_project_name

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def create(*arguments: str) -> dict[str, Any]:
    created: dict[str, Any] = json.loads(
        run("create_project", make_project_name(), "--json", *arguments)
    )
    return created


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "key.pem"


def mint(created: dict[str, Any], key_file: Path, *arguments: str) -> str:
    key_file.write_text(created["private_key"])
    return run(
        "mint_token",
        "--project",
        created["project"],
        "--private-key",
        str(key_file),
        *arguments,
    )


def claims_of(token: str) -> Claims:
    snapshot = load_snapshot(None)
    assert snapshot is not None
    return verify(token.strip(), key_of=snapshot.signing_keys.get, now_s=time.time())


def test_create_project_prints_what_a_program_needs() -> None:
    created = create("--scope", "replay", "operate", "--scope", "repair")
    assert sorted(created) == ["kid", "private_key", "project", "write_key"]
    assert created["write_key"].startswith("wk_")
    assert created["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
    granted = SigningKey.objects.get(kid=created["kid"]).scopes
    assert granted == ["ingest", "operate", "query", "repair", "replay"]


def test_create_project_prints_what_a_person_needs() -> None:
    name = make_project_name()
    text = run("create_project", name, "--origin", "https://shop.example")
    key = SigningKey.objects.get(project=name)
    assert key.kid in text
    assert WriteKey.objects.get(project=name).prefix in text
    assert "-----BEGIN PRIVATE KEY-----" in text
    assert key.project.allowed_origins == ["https://shop.example"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Shop"], "'Shop' is no project name"),
        (["a" * 64], "is no project name"),
        (["shop", "--scope", "admin"], "'admin' is no scope"),
        (["shop", "--origin", "nonsense"], "is not an origin"),
    ],
)
def test_create_project_says_what_is_wrong(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as caught:
        run("create_project", *arguments)
    assert "\n" not in str(caught.value)


def test_create_project_refuses_a_name_twice() -> None:
    created = create()
    with pytest.raises(CommandError, match="exists already"):
        run("create_project", created["project"])


def test_mint_token_prints_one_token_and_nothing_else(key_file: Path) -> None:
    created = create()
    printed = mint(
        created,
        key_file,
        "--scope",
        "query",
        "--ttl",
        "60",
        "--filter",
        '["is", "event", ["signup"]]',
        "--subject",
        "grafana",
    )
    claims = claims_of(printed)
    assert printed.count("\n") == 1
    assert (claims.project, claims.subject) == (created["project"], "grafana")
    assert claims.filter == ["is", "event", ["signup"]]
    assert time.time() < claims.expires_at_s <= time.time() + 60


def test_mint_token_takes_the_demo_key_by_default(tmp_path: Path) -> None:
    created = create()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "demo.pem").write_text(created["private_key"])
    with override_settings(DATA_DIR=tmp_path):
        token = run("mint_token", "--project", created["project"], "--scope", "ingest", "query")
    assert sorted(claims_of(token).scopes) == ["ingest", "query"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scope", "operate"], "does not grant operate"),
        (["--scope", "admin"], "'admin' is no scope"),
        (["--scope", "query", "--ttl", "86401"], "lives 1 to 86400 s"),
        (["--scope", "ingest", "--ttl", "7776001"], "lives 1 to 7776000 s"),
        (["--scope", "query", "--ttl", "0"], "lives 1 to"),
        (["--scope", "query", "--ttl", "-5"], "not a whole number of seconds"),
        (["--scope", "query", "--ttl", "1h"], "not a whole number of seconds"),
        (["--scope", "query", "--filter", "{}"], "is not a JSON list"),
        (["--scope", "query", "--filter", "["], "is not a JSON list"),
        (["--scope", "query", "--subject", ""], "subject has 1 to"),
        (["--scope", "query", "--subject", "\udcff"], "without NUL"),
        ([], "required: --scope"),
    ],
)
def test_mint_token_says_what_is_wrong(key_file: Path, arguments: list[str], said: str) -> None:
    created = create()
    with pytest.raises(CommandError, match=said):
        mint(created, key_file, *arguments)


def test_mint_token_names_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    created = create()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "text").write_text("no key")
    for name, said in (
        ("missing", "No such file"),
        ("binary", "it is not text"),
        ("text", "not an unencrypted private key"),
    ):
        with pytest.raises(CommandError, match=said):
            run(
                "mint_token",
                "--project",
                created["project"],
                "--scope",
                "query",
                "--private-key",
                str(tmp_path / name),
            )


def test_rotate_key_prints_the_successor(key_file: Path) -> None:
    created = create()
    rotated = json.loads(run("rotate_key", created["kid"], "--overlap", "60", "--json"))
    assert rotated["project"] == created["project"]
    assert rotated["kid"] != created["kid"]
    assert claims_of(mint(rotated, key_file, "--scope", "query")).kid == rotated["kid"]
    assert SigningKey.objects.get(kid=created["kid"]).not_after is not None

    text = run("rotate_key", rotated["kid"])
    assert "private key: -----BEGIN PRIVATE KEY-----" in text


def test_rotate_key_takes_write_keys_too() -> None:
    created = create()
    rotated = json.loads(run("rotate_key", created["write_key"][:11], "--json"))
    assert sorted(rotated) == ["project", "write_key"]
    assert WriteKey.objects.get(digest=write_key_digest(rotated["write_key"])).not_after is None
    assert WriteKey.objects.get(digest=write_key_digest(created["write_key"])).not_after


def test_revoke_key_ends_either_kind() -> None:
    created = create()
    said = run("revoke_key", created["kid"])
    assert created["kid"] in said
    run("revoke_key", created["write_key"])
    assert SigningKey.objects.get(kid=created["kid"]).revoked_at is not None
    assert WriteKey.objects.get(project=created["project"]).revoked_at is not None
    assert created["write_key"] not in run("revoke_key", created["write_key"])


@pytest.mark.parametrize("command", ["revoke_key", "rotate_key"])
@pytest.mark.parametrize("key", ["abc", "wk_abc", "\udcff", "wk_\udcff"])
def test_an_unknown_key_is_said_to_be_unknown(command: str, key: str) -> None:
    with pytest.raises(CommandError, match="there is no"):
        run(command, key)


def test_a_revoked_key_is_not_rotated() -> None:
    created = create()
    run("revoke_key", created["kid"])
    with pytest.raises(CommandError, match="is revoked"):
        run("rotate_key", created["kid"])

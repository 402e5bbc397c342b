"""What `dev` makes on its first run, and finds or mends on the next ones."""

import json
import stat
import time
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from access.claims import Scope
from access.key_loading import load_snapshot
from access.models import SigningKey
from access.tokens import verify
from operations.dev.banner import banner
from operations.dev.first_run import (
    ADMIN,
    PROJECT,
    TOKEN_SCOPES,
    ensure_admin,
    ensure_demo,
    ensure_values,
    write_private,
)

pytestmark = pytest.mark.django_db


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_development_values_are_made_once_and_are_private(tmp_path: Path) -> None:
    path = tmp_path / "var" / "dev.json"

    assert ensure_values(path)
    made = path.read_text()
    assert not ensure_values(path)

    assert path.read_text() == made
    assert len(json.loads(made)["WEIR_SECRET_KEY"]) >= 50
    assert mode_of(path) == 0o600


def test_a_private_file_replaces_what_an_interrupted_run_left(tmp_path: Path) -> None:
    (tmp_path / "demo.pem.partial").write_text("half")

    write_private(tmp_path / "demo.pem", "whole")

    assert [path.name for path in tmp_path.iterdir()] == ["demo.pem"]
    assert (tmp_path / "demo.pem").read_text() == "whole"
    assert mode_of(tmp_path / "demo.pem") == 0o600


def test_the_admin_can_sign_in_and_the_password_is_shown_again(tmp_path: Path) -> None:
    password = ensure_admin(tmp_path)

    assert password is not None
    assert User.objects.get(username=ADMIN).check_password(password)
    assert ensure_admin(tmp_path) == password


def test_a_password_that_was_changed_is_not_shown(tmp_path: Path) -> None:
    ensure_admin(tmp_path)
    user = User.objects.get(username=ADMIN)
    user.set_password("another one")
    user.save()

    assert ensure_admin(tmp_path) is None
    assert User.objects.get(username=ADMIN).check_password("another one")


def test_a_lost_password_file_makes_no_second_admin(tmp_path: Path) -> None:
    ensure_admin(tmp_path)
    (tmp_path / "admin.password").unlink()

    assert ensure_admin(tmp_path) is None
    assert User.objects.count() == 1


def test_the_demo_project_has_one_key_whose_file_is_private(tmp_path: Path) -> None:
    first = ensure_demo(tmp_path)
    again = ensure_demo(tmp_path)

    assert (first.is_new, again.is_new) == (True, False)
    assert first.token != again.token
    assert mode_of(tmp_path / "demo.pem") == 0o600
    key = SigningKey.objects.get(project=PROJECT)
    assert key.granted() >= set(TOKEN_SCOPES) | {Scope.OPERATE}


def test_the_token_opens_all_that_a_newcomer_tries(tmp_path: Path) -> None:
    token = ensure_demo(tmp_path).token

    snapshot = load_snapshot(None)
    assert snapshot is not None
    claims = verify(token, key_of=snapshot.signing_keys.get, now_s=time.time())
    assert sorted(claims.scopes) == ["ingest", "operate", "query", "repair", "replay"]


def test_a_lost_key_file_is_replaced_by_a_new_key(tmp_path: Path) -> None:
    ensure_demo(tmp_path)
    (tmp_path / "demo.pem").unlink()

    demo = ensure_demo(tmp_path)

    assert not demo.is_new
    assert SigningKey.objects.filter(project=PROJECT).count() == 2


def test_the_banner_says_where_to_look() -> None:
    said = banner(url="http://127.0.0.1:8000", user="admin", password=None, token="t0ken")

    assert "http://127.0.0.1:8000/admin/\n" in said
    assert "http://127.0.0.1:8000/admin/explorer/" in said
    assert "(as you have changed it)" in said
    assert sum(line.startswith("curl ") for line in said.splitlines()) == 2

"""What `dev` makes once and finds again: development values, an admin user, the project `demo` with
its key. Every step may be interrupted; the next run completes it."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User

from access.claims import Scope
from access.minting import mint_token
from access.models import Project
from access.services import create_project, issue_signing_key

ADMIN = "admin"
PROJECT = "demo"
TOKEN_TTL_S = 24 * 3600
KEY_SCOPES = (Scope.REPLAY, Scope.REPAIR, Scope.ERASE, Scope.OPERATE)
TOKEN_SCOPES = (Scope.INGEST, Scope.QUERY, Scope.REPLAY, Scope.REPAIR, Scope.OPERATE)


@dataclass(frozen=True, slots=True)
class Demo:
    """The project `demo`: a fresh token, and whether the project was made by this run."""

    token: str
    is_new: bool


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def ensure_values(path: Path) -> bool:
    """Make the file of development values; False when it is there."""
    if path.is_file():
        return False
    values: Mapping[str, str] = {"WEIR_SECRET_KEY": secrets.token_urlsafe(48)}
    write_private(path, json.dumps(values, indent=2) + "\n")
    return True


def ensure_admin(keys_dir: Path) -> str | None:
    """The admin's password, made on the first run; None when somebody has changed it since."""
    path = keys_dir / "admin.password"
    user = User.objects.filter(username=ADMIN).first()
    if user is None:
        password = secrets.token_urlsafe(9)
        write_private(path, password + "\n")  # first: a user whose password nobody has is locked
        User.objects.create_superuser(ADMIN, password=password)
        return password
    known = path.read_text().strip() if path.is_file() else ""
    return known if known and user.check_password(known) else None


def ensure_demo(keys_dir: Path) -> Demo:
    """The project `demo`, its key in `demo.pem`, and a fresh token."""
    path = keys_dir / f"{PROJECT}.pem"
    is_new = not Project.objects.filter(name=PROJECT).exists()
    if is_new:
        write_private(path, create_project(PROJECT, KEY_SCOPES).private_key_pem)
    elif not path.is_file():
        # The key file is gone, or the first run ended before it was written: a new key, since a
        # private key is stored nowhere else.
        made = issue_signing_key(PROJECT, scopes=KEY_SCOPES, label="manage.py dev")
        write_private(path, made.private_key_pem)
    return Demo(_token(path), is_new)


def _token(path: Path) -> str:
    return mint_token(
        PROJECT,
        TOKEN_SCOPES,
        private_key_pem=path.read_text(),
        ttl_s=TOKEN_TTL_S,
        subject="manage.py dev",
    )

"""Every change to projects and keys: one transaction each, which also stamps the change, so that
all processes follow within seconds. Tokens are made in minting.py."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from access.claims import Scope
from access.errors import BadKey, BadName
from access.key_pairs import KeyPair, generate_key_pair, parse_public_key
from access.keys import SHOWN_CHARS, new_write_key, write_key_digest
from access.lookups import get_project, get_signing_key, get_write_key
from access.minting import mint_token, staff_token
from access.models import ChangeStamp, Project, SigningKey, WriteKey, check_name, scope_names
from access.origins import parse_origin

__all__ = [
    "add_signing_key",
    "create_project",
    "issue_signing_key",
    "issue_write_key",
    "mint_token",
    "revoke_signing_key",
    "revoke_write_key",
    "rotate_signing_key",
    "rotate_write_key",
    "set_allowed_origins",
    "set_scopes",
    "staff_token",
]

ALWAYS_GRANTED = (Scope.INGEST, Scope.QUERY)
OVERLAP = timedelta(hours=24)  # the longest life of a token that may query
_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class IssuedSigningKey:
    """A new key pair. The private key exists here alone: show it once."""

    project: str
    kid: str
    private_key_pem: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedWriteKey:
    """A new write key. The key exists here alone: show it once."""

    project: str
    prefix: str
    write_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreatedProject:
    """A new project with its first keys, shown once."""

    project: str
    write_key: str = field(repr=False)
    kid: str
    private_key_pem: str = field(repr=False)


def _change(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The change and its stamp in one transaction: a reader that sees the stamp sees the
    change."""

    @wraps(function)
    def changed(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with transaction.atomic():
            result = function(*args, **kwargs)
            ChangeStamp.objects.update_or_create(
                pk=ChangeStamp.ROW, defaults={"stamp": uuid4().hex}
            )
            return result

    return changed


@_change
def create_project(
    name: str, scopes: Iterable[Scope] = (), *, allowed_origins: Sequence[str] = ()
) -> CreatedProject:
    """A project with a write key and a key pair that grants ingest, query and `scopes`.

    Raises BadName when the name is no slug or taken, BadOrigin.
    """
    try:
        check_name(name)
    except ValidationError as exc:
        raise BadName(
            f"{name!r} is no project name: it has 1 to 63 of the characters a-z, 0-9 and the dash"
        ) from exc
    origins = [parse_origin(origin) for origin in allowed_origins]
    try:
        with transaction.atomic():
            project = Project.objects.create(name=name, allowed_origins=origins)
    except IntegrityError as exc:
        raise BadName(f"the project {name} exists already: choose another name") from exc
    written = _add_write_key(project, "first key")
    signing = _add_key_pair(project, _granted(scopes), "first key")
    return CreatedProject(name, written.write_key, signing.kid, signing.private_key_pem)


@_change
def set_allowed_origins(name: str, origins: Sequence[str]) -> list[str]:
    """The origins as stored. Raises BadOrigin, NotRegistered."""
    project = get_project(name)
    project.allowed_origins = sorted({parse_origin(origin) for origin in origins})
    project.save(update_fields=["allowed_origins"])
    stored: list[str] = project.allowed_origins
    return stored


@_change
def add_signing_key(
    name: str, public_key: str, *, scopes: Iterable[Scope] = (), label: str = ""
) -> SigningKey:
    """Register a public key (PEM or JSON Web Key). Raises BadKey, NotRegistered."""
    return _register(get_project(name), public_key, _granted(scopes), label)


@_change
def issue_signing_key(
    name: str, *, scopes: Iterable[Scope] = (), label: str = ""
) -> IssuedSigningKey:
    """Make a key pair here and register its public half. Raises NotRegistered."""
    return _add_key_pair(get_project(name), _granted(scopes), label)


@_change
def set_scopes(kid: str, scopes: Iterable[Scope]) -> SigningKey:
    """What the key grants from now on: ingest, query and `scopes`. Raises NotRegistered."""
    key = get_signing_key(kid)
    key.scopes = scope_names(_granted(scopes))
    key.save(update_fields=["scopes"])
    return key


@_change
def rotate_signing_key(kid: str, *, overlap: timedelta = OVERLAP) -> IssuedSigningKey:
    """A new pair with the old key's scopes; the old key retires after the overlap.

    Raises NotRegistered; BadKey for a revoked key.
    """
    old = get_signing_key(kid)
    _retire(old, overlap)
    return _add_key_pair(old.project, old.granted(), old.label)


@_change
def issue_write_key(name: str, *, label: str = "") -> IssuedWriteKey:
    """A new write key. Raises NotRegistered."""
    return _add_write_key(get_project(name), label)


@_change
def rotate_write_key(prefix: str, *, overlap: timedelta = OVERLAP) -> IssuedWriteKey:
    """A new write key; the old one retires after the overlap. Raises NotRegistered; BadKey for a
    revoked key or an ambiguous prefix."""
    old = get_write_key(prefix)
    _retire(old, overlap)
    return _add_write_key(old.project, old.label)


@_change
def revoke_signing_key(kid: str) -> SigningKey:
    """No token of the key is taken from now on; again changes nothing. Raises NotRegistered."""
    return _revoke(get_signing_key(kid))


@_change
def revoke_write_key(prefix: str) -> WriteKey:
    """The key opens nothing from now on; again changes nothing. Raises NotRegistered; BadKey for
    an ambiguous prefix."""
    return _revoke(get_write_key(prefix))


def _granted(scopes: Iterable[Scope]) -> frozenset[Scope]:
    return frozenset(ALWAYS_GRANTED) | frozenset(scopes)


def _register(
    project: Project, public_key: str, scopes: frozenset[Scope], label: str
) -> SigningKey:
    public = parse_public_key(public_key)
    try:
        with transaction.atomic():
            return SigningKey.objects.create(
                kid=public.kid,
                project=project,
                algorithm=public.algorithm.value,
                public_key=public.pem,
                scopes=scope_names(scopes),
                label=label,
            )
    except IntegrityError as exc:
        raise BadKey(f"the key {public.kid} is registered already: make a new pair") from exc


def _add_key_pair(project: Project, scopes: frozenset[Scope], label: str) -> IssuedSigningKey:
    pair: KeyPair = generate_key_pair()
    _register(project, pair.public.pem, scopes, label)
    return IssuedSigningKey(project.name, pair.public.kid, pair.private_pem())


def _add_write_key(project: Project, label: str) -> IssuedWriteKey:
    write_key = new_write_key()
    row = WriteKey.objects.create(
        digest=write_key_digest(write_key),
        prefix=write_key[:SHOWN_CHARS],
        project=project,
        label=label,
    )
    return IssuedWriteKey(project.name, row.prefix, write_key)


def _retire(key: SigningKey | WriteKey, overlap: timedelta) -> None:
    if key.revoked_at is not None:
        raise BadKey(f"{key} is revoked: issue a new key instead of rotating it")
    ends_at: datetime = timezone.now() + overlap
    key.not_after = ends_at if key.not_after is None else min(key.not_after, ends_at)
    key.save(update_fields=["not_after"])


_Key = TypeVar("_Key", SigningKey, WriteKey)


def _revoke(key: _Key) -> _Key:
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
    return key

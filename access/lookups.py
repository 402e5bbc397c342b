"""Projects and keys by the names that people type, whatever they type."""

from access.errors import BadKey, NotRegistered
from access.keys import SHOWN_CHARS, write_key_digest
from access.models import Project, SigningKey, WriteKey
from access.texts import storable


def get_project(name: str) -> Project:
    """Raises NotRegistered."""
    project = Project.objects.filter(name=storable(name)).first()
    if project is None:
        raise NotRegistered(f"there is no project {name}: create_project makes one")
    return project


def project_names() -> list[str]:
    """Every project, ascending by code point whatever the database's order."""
    return sorted(Project.objects.values_list("name", flat=True))


def get_signing_key(kid: str) -> SigningKey:
    """Raises NotRegistered."""
    key = SigningKey.objects.select_related("project").filter(kid=storable(kid)).first()
    if key is None:
        raise NotRegistered(f"there is no signing key {kid}: the admin lists the keys")
    return key


def get_write_key(prefix: str) -> WriteKey:
    """By the whole key or the beginning that lists show. Raises NotRegistered, BadKey."""
    keys = WriteKey.objects.select_related("project")
    found = list(keys.filter(digest=write_key_digest(prefix)))
    if not found and len(prefix) <= SHOWN_CHARS:
        found = list(keys.filter(prefix__startswith=storable(prefix))[:2])
    if not found:
        raise NotRegistered(f"there is no write key {prefix[:SHOWN_CHARS]}…: the admin lists them")
    if len(found) > 1:
        raise BadKey(f"several write keys begin with {prefix}: give more of it")
    return found[0]

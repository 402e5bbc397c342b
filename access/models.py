"""Projects and their keys as rows. Data and constraints; every change goes through services.py,
which also stamps it.

Rows are never deleted: a project's name is the first part of every event's key, and a revoked key
must stay known as revoked.
"""

from collections.abc import Iterable
from typing import Any

from django.core.validators import RegexValidator
from django.db import models

from access.claims import Scope
from access.errors import BadName
from access.key_pairs import Algorithm

NAME_PATTERN = r"^[a-z0-9-]{1,63}\Z"
check_name = RegexValidator(
    NAME_PATTERN, "A name has 1 to 63 of the characters a-z, 0-9 and the dash."
)


class Project(models.Model):
    """The tenant: owner of events, keys and series. Its name never changes and is never reused."""

    name = models.CharField(primary_key=True, max_length=63, validators=[check_name])
    allowed_origins = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """By name."""

        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own types
        super().__init__(*args, **kwargs)
        self._stored_name = self.name

    def save(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own types
        """Save. Raises BadName for a row whose name was changed."""
        if not self._state.adding and self._stored_name != self.name:
            raise BadName(
                f"project {self._stored_name} cannot become {self.name}: a project's name never "
                "changes"
            )
        super().save(*args, **kwargs)
        self._stored_name = self.name

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:  # Any: as save
        """Refused: raises BadName."""
        raise BadName(f"project {self.name} cannot be deleted: its name is never reused")


class SigningKey(models.Model):
    """A public key that signs tokens for one project. The private half is never stored."""

    kid = models.CharField("key id", max_length=64, unique=True)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="signing_keys")
    algorithm = models.CharField(
        max_length=8, choices=[(algorithm.value, algorithm.value) for algorithm in Algorithm]
    )
    public_key = models.TextField("public key (PEM)")
    scopes = models.JSONField("scopes granted", default=list)
    label = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    not_after = models.DateTimeField("retires at", null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Newest first."""

        ordering = ("-id",)
        permissions = [("grant_operate", "Can grant the scope operate to a key")]

    def __str__(self) -> str:
        return f"{self.kid} of {self.project_id}"

    def granted(self) -> frozenset[Scope]:
        """The scopes as values."""
        return frozenset(Scope(name) for name in self.scopes)


class WriteKey(models.Model):
    """A key that opens sending into one project, known by its hash alone."""

    digest = models.CharField("SHA-256 of the key", max_length=64, unique=True)
    prefix = models.CharField("begins with", max_length=16)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="write_keys")
    label = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    not_after = models.DateTimeField("retires at", null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Newest first."""

        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.project_id}"


class ChangeStamp(models.Model):
    """One row, written anew in the transaction of every change, so that a process can ask cheaply
    whether its keys are the latest.

    Random rather than counted: a database restored from a backup never shows an old stamp twice.
    """

    ROW = 1
    stamp = models.CharField(max_length=32)

    def __str__(self) -> str:
        return self.stamp


def scope_names(scopes: Iterable[Scope]) -> list[str]:
    """Scopes as they are stored: sorted names."""
    return sorted(scope.value for scope in set(scopes))

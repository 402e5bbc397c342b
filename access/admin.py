"""Admin pages of projects and keys: list, issue, grant, rotate, revoke. Every change is one call
of a service."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from access import services
from access.admin_forms import (
    GrantingForm,
    ProjectAddForm,
    ProjectChangeForm,
    SigningKeyAddForm,
    SigningKeyChangeForm,
    WriteKeyAddForm,
)
from access.admin_pages import Confirmation, Secret, ServicePages, secret_of
from access.lookups import get_write_key
from access.models import Project, SigningKey, WriteKey

OPERATE_PERMISSION = "access.grant_operate"
_ROTATION = Confirmation(
    "rotate",
    "Rotate keys",
    "Each gets a successor with the same rights, whose secret is shown once. The old keys still "
    "work for 24 hours.",
    "Yes, rotate them",
)
_REVOCATION = Confirmation(
    "revoke",
    "Revoke keys",
    "Within 5 seconds nothing that these keys signed or opened works any more. This cannot be "
    "undone.",
    "Yes, revoke them",
)
_SIGNING_KEY_FACTS = (
    "kid",
    "project",
    "algorithm",
    "public_key",
    "granted_scopes",
    "label",
    "state",
    "created_at",
    "not_after",
    "revoked_at",
)
_WRITE_KEY_FACTS = (
    "prefix",
    "project",
    "label",
    "state",
    "created_at",
    "not_after",
    "revoked_at",
)


class GrantingPages(ServicePages):
    """Pages whose forms grant scopes."""

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:  # Any: Django's own types
        """The form, limited to what this user may grant."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if not issubclass(form, GrantingForm):
            return form
        may = request.user.has_perm(OPERATE_PERMISSION)
        return type(form.__name__, (form,), {"may_grant_operate": may})


@admin.register(Project)
class ProjectPages(GrantingPages):
    """A project is made with its first keys; after that its origins alone change."""

    list_display = ("name", "origins", "created_at")
    search_fields = ("name",)

    @admin.display(description="allowed origins")
    def origins(self, project: Project) -> str:
        """The list in one cell."""
        return ", ".join(project.allowed_origins) or "none"

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:  # Any: Django's own types
        """Another form once the project exists."""
        kwargs["form"] = ProjectChangeForm if change else ProjectAddForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # Any: Django's
        """Name and date are shown once they are fixed."""
        if obj is None:
            return ("name", "allowed_origins", "extra_scopes")
        return ("name", "allowed_origins", "created_at")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:  # Any: Django's own type
        """All but the origins."""
        return () if obj is None else ("name", "created_at")

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        """Make the project, or set its origins."""  # Any: Django's own type
        if change:
            services.set_allowed_origins(obj.name, obj.allowed_origins)
            return
        created = services.create_project(
            obj.name, form.chosen_scopes(), allowed_origins=obj.allowed_origins
        )
        self.hand_over(request, _secrets_of(created))


def _secrets_of(created: services.CreatedProject) -> list[Secret]:
    write_key = created.write_key
    return [
        secret_of(services.IssuedSigningKey(created.project, created.kid, created.private_key_pem)),
        secret_of(services.IssuedWriteKey(created.project, write_key, write_key)),
    ]


class KeyPages(GrantingPages):
    """What signing keys and write keys share."""

    actions = ("rotate", "revoke")
    list_filter = ("project",)

    @admin.display(description="state")
    def state(self, key: SigningKey | WriteKey) -> str:
        """In a word or two."""
        return "revoked" if key.revoked_at is not None else _retirement(key.not_after)

    @admin.action(permissions=["change"], description="Revoke selected keys…")
    def revoke(self, request: HttpRequest, rows: "QuerySet[Any]") -> HttpResponse | None:
        """Asks, then ends them for good."""  # Any: of either model
        if (page := self.confirmed(request, rows, _REVOCATION)) is not None:
            return page
        self.apply(request, rows, _revoked)
        return None

    @admin.action(permissions=["change"], description="Rotate selected keys…")
    def rotate(self, request: HttpRequest, rows: "QuerySet[Any]") -> HttpResponse | None:
        """Asks, then shows the successors' secrets."""  # Any: of either model
        if (page := self.confirmed(request, rows, _ROTATION)) is not None:
            return page
        secrets: list[Secret] = []

        def rotated(key: SigningKey | WriteKey) -> str:
            secrets.append(secret_of(_successor(key)))
            return "rotated; it still works for 24 hours"

        return self.shown_once(request, secrets) if self.apply(request, rows, rotated) else None


def _revoked(key: SigningKey | WriteKey) -> str:
    if isinstance(key, SigningKey):
        services.revoke_signing_key(key.kid)
    else:
        services.revoke_write_key(key.prefix)
    return "revoked"


def _successor(
    key: SigningKey | WriteKey,
) -> services.IssuedSigningKey | services.IssuedWriteKey:
    if isinstance(key, SigningKey):
        return services.rotate_signing_key(key.kid)
    return services.rotate_write_key(key.prefix)


def _retirement(not_after: datetime | None) -> str:
    if not_after is None:
        return "in force"
    return "retired" if not_after <= timezone.now() else f"retires {not_after:%Y-%m-%d %H:%M} UTC"


@admin.register(SigningKey)
class SigningKeyPages(KeyPages):
    """Public keys: pasted, or made here with the private key shown once."""

    list_display = ("kid", "project", "algorithm", "granted_scopes", "label", "state", "created_at")
    search_fields = ("kid", "label", "project__name")

    @admin.display(description="scopes granted")
    def granted_scopes(self, key: SigningKey) -> str:
        """In one cell."""
        return " ".join(key.scopes)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:  # Any: Django's own types
        """Another form once the key exists."""
        kwargs["form"] = SigningKeyChangeForm if change else SigningKeyAddForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # Any: Django's
        """What is asked, or all there is."""
        if obj is None:
            return ("project", "public_key", "extra_scopes", "label")
        return (*_SIGNING_KEY_FACTS, "extra_scopes")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:  # Any: Django's own type
        """All but what is granted."""
        return () if obj is None else _SIGNING_KEY_FACTS

    def save_model(self, request: HttpRequest, obj: SigningKey, form: Any, change: bool) -> None:
        """Register, issue, or set what is granted."""  # Any: Django's own type
        if change:
            services.set_scopes(obj.kid, form.chosen_scopes())
            return
        asked = {"scopes": form.chosen_scopes(), "label": obj.label}
        if obj.public_key:
            kid = services.add_signing_key(obj.project_id, obj.public_key, **asked).kid
        else:
            issued = services.issue_signing_key(obj.project_id, **asked)
            self.hand_over(request, [secret_of(issued)])
            kid = issued.kid
        obj.pk, obj.kid = SigningKey.objects.get(kid=kid).pk, kid


@admin.register(WriteKey)
class WriteKeyPages(KeyPages):
    """Write keys: made here, shown once, known by their beginning from then on."""

    list_display = ("prefix", "project", "label", "state", "created_at")
    search_fields = ("prefix", "label", "project__name")
    form = WriteKeyAddForm

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # Any: Django's
        """What is asked, or all there is but the hash."""
        return ("project", "label") if obj is None else _WRITE_KEY_FACTS

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:  # Any: Django's own type
        """Nothing changes but by the actions."""
        return () if obj is None else _WRITE_KEY_FACTS

    def save_model(self, request: HttpRequest, obj: WriteKey, form: Any, change: bool) -> None:
        """Issue the key."""  # Any: Django's own type
        if change:
            return
        issued = services.issue_write_key(obj.project_id, label=obj.label)
        self.hand_over(request, [secret_of(issued)])
        obj.pk, obj.prefix = get_write_key(issued.write_key).pk, issued.prefix

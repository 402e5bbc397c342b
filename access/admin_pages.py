"""What the admin pages of this context share: secrets shown once, confirmed actions, refusals as
messages, rows that nobody deletes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from access.errors import AccessError
from access.services import IssuedSigningKey, IssuedWriteKey

if TYPE_CHECKING:  # django-stubs make it generic, Django does not; Any: of whichever model
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


@dataclass(frozen=True, slots=True)
class Secret:
    """Something to copy now or never."""

    title: str
    advice: str
    text: str
    rows: int


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What an action asks before it acts."""

    action: str
    title: str
    consequence: str
    verb: str


def secret_of(issued: IssuedSigningKey | IssuedWriteKey) -> Secret:
    """What there is to copy of a new key."""
    if isinstance(issued, IssuedWriteKey):
        return Secret(
            f"Write key of {issued.project}", "It opens sending alone.", issued.write_key, 1
        )
    return Secret(
        f"Private key {issued.kid} of {issued.project}",
        "It signs tokens: keep it where only their signer can read it.",
        issued.private_key_pem,
        4,
    )


class ServicePages(ModelAdmin):
    """Rows are made and changed by services alone, and never deleted."""

    def has_delete_permission(
        self,
        request: HttpRequest,
        obj: Any = None,  # Any: Django's own type
    ) -> bool:
        """Nobody may: keys are revoked, names are never reused."""
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,  # Any: Django's own type
    ) -> HttpResponse:
        """The page; a service's refusal comes back as a message."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except AccessError as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def hand_over(self, request: HttpRequest, secrets: Sequence[Secret]) -> None:
        """Keep secrets for the answer to this very request: they touch no session, no cookie."""
        request.secrets = secrets  # type: ignore[attr-defined]  # response_add gets no more

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:  # Any: Django's own type
        """The secrets, if there are any, else what Django answers."""
        secrets: Sequence[Secret] = getattr(request, "secrets", ())
        if secrets:
            return self.shown_once(request, secrets)
        return super().response_add(request, obj, post_url_continue)

    def shown_once(self, request: HttpRequest, secrets: Sequence[Secret]) -> HttpResponse:
        """The page that shows secrets."""
        context = self._context(request, "Shown once") | {
            "secrets": secrets,
            "back": self._list_url(),
        }
        response = TemplateResponse(request, "admin/access/shown_once.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def confirmed(
        self, request: HttpRequest, rows: "models.QuerySet[Any]", asked: Confirmation
    ) -> HttpResponse | None:  # Any: of whichever model
        """None when the user has confirmed, else the page that asks."""
        if request.POST.get("confirmed") == "yes":
            return None
        context = self._context(request, asked.title) | {
            "rows": rows,
            "action": asked.action,
            "consequence": asked.consequence,
            "verb": asked.verb,
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/access/confirm_action.html", context)

    def apply(
        self, request: HttpRequest, rows: "models.QuerySet[Any]", act: Callable[[Any], str]
    ) -> bool:  # Any: of whichever model
        """`act` on all rows or, when a service refuses one, on none (False); reports and logs
        each."""
        try:
            with transaction.atomic():
                said = [(row, act(row)) for row in rows]
        except AccessError as exc:
            self.message_user(request, f"Nothing was changed: {exc}", messages.ERROR)
            return False
        for row, sentence in said:
            self.log_change(request, row, sentence)
            # A first word of ours, since the admin capitalizes it: "Wk_…" is no key.
            self.message_user(request, f"Key {row}: {sentence}", messages.SUCCESS)
        return True

    def _context(
        self, request: HttpRequest, title: str
    ) -> dict[str, Any]:  # Any: a template's context
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}

    def _list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

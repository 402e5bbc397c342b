"""What the admin's pages of replays share: who may do what, and how a page is answered."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models.options import Options
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers

from replay.domain import Move
from replay.journal import Actor, Via
from replay.models import Replay

REQUEST = "replay.request_replay"
START = "replay.start_replay"
CONTROL = "replay.control_replay"
SERVE = "replay.serve_generation"
MAY_SEE = ("replay.view_replay", REQUEST, START, CONTROL, SERVE)
"""Whoever may do something with replays sees them."""
PERMISSIONS = {
    Move.ESTIMATE: REQUEST,
    Move.START: START,
    Move.PAUSE: CONTROL,
    Move.RESUME: CONTROL,
    Move.CANCEL: CONTROL,
    Move.RETRY: CONTROL,
    Move.RATE: CONTROL,
}
NO_WAREHOUSE = "The warehouse does not answer now, so nothing can be counted. Try again."


@dataclass(frozen=True, slots=True)
class ReplaySite:
    """The pages' place in an admin site."""

    site: admin.AdminSite
    opts: "Options[Replay]"

    def page(
        self,
        request: HttpRequest,
        name: str,
        title: str,
        context: dict[str, Any],  # Any: a template's context
    ) -> HttpResponse:
        """A page; 422 where one of its forms, `form` and `asked`, is refused."""
        whole = {**self.site.each_context(request), "title": title, "opts": self.opts, **context}
        refused = any(context[form].errors for form in ("form", "asked") if form in context)
        status = HTTPStatus.UNPROCESSABLE_ENTITY if refused else HTTPStatus.OK
        return not_stored(
            TemplateResponse(request, f"admin/replay/{name}.html", whole, status=status)
        )


def may(request: HttpRequest, move: Move) -> bool:
    """Whether this user may ask for it."""
    return request.user.has_perm(PERMISSIONS[move])


def may_see(request: HttpRequest) -> bool:
    """Whether this user may look at replays."""
    return any(request.user.has_perm(name) for name in MAY_SEE)


def require(request: HttpRequest, permission: str) -> None:
    """Raises PermissionDenied."""
    if not request.user.has_perm(permission):
        raise PermissionDenied


def actor_of(request: HttpRequest) -> Actor:
    """Who asks, for the log."""
    return Actor(request.user.get_username(), Via.ADMIN)


def to_detail(replay: str) -> HttpResponseRedirect:
    """To the page of a replay."""
    return HttpResponseRedirect(reverse("admin:replay_replay_change", args=[replay]))


def not_stored(response: HttpResponse) -> HttpResponse:
    """The response, which no cache keeps."""
    add_never_cache_headers(response)
    return response

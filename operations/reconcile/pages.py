"""The admin's page Reconcile: warehouse and view side by side, and a replay of exactly the gap."""

from http import HTTPStatus
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from access.problems import Problem
from operations.api_problems import engines_answering
from operations.reconcile.forms import ComparedForm, GapForm, PageForm
from operations.reconcile.paging import ComparisonStopped, compared_page
from operations.reconcile.repair import order_for, repair
from operations.reconcile.serializers import HourSerializer, SummarySerializer
from replay.admin_site import REQUEST, ReplaySite, actor_of, may, may_see, require, to_detail
from replay.domain import Move, Span
from replay.errors import ReplayError
from replay.models import Replay
from replay.services import CLOCK
from warehouse.backends import get_event_store
from warehouse.errors import StoreBackpressure

WAIT_S = 10.0
HOURS = 48
"""Hours of an answer: the page asks for the next ones until there are no more."""
TOO_LONG = (
    "This hour holds too much to be compared while a page waits. The command "
    "manage.py reconcile compares it, and replays the gap with --repair."
)
LATER = (
    "{} spans of time lie ahead and cannot be replayed yet: compare again once their time has come."
)


def reconcile(request: HttpRequest) -> HttpResponse:
    """The form and, filled in, a page that compares by itself; for whoever may see replays."""
    if request.method not in {"GET", "HEAD"} or not may_see(request):
        raise PermissionDenied
    form = ComparedForm(request.GET if "project" in request.GET else None, now_ms=CLOCK.now_ms())
    return _page(request, form, GapForm() if request.user.has_perm(REQUEST) else None)


def _page(request: HttpRequest, form: ComparedForm, asked: GapForm | None) -> HttpResponse:
    context: dict[str, Any] = {"form": form}  # Any: a template's context
    if form.is_bound and form.is_valid():
        span = form.span()
        context = {
            "form": ComparedForm(form.fixed_data(), now_ms=form.now_ms),
            "project": form.cleaned_data["project"],
            "span": span,
            "may_start": may(request, Move.START),
        }
        if asked is not None:
            context["asked"] = asked
    site = ReplaySite(admin.site, Replay._meta)
    return site.page(request, "reconcile", "Reconcile", context)


@never_cache
@require_safe
def reconcile_hours(request: HttpRequest) -> HttpResponse:
    """The next hours as JSON, asked for again and again by the page; 403 when nobody is signed in
    who may see it, 422 for a range that is none or takes too long."""
    if not (admin.site.has_permission(request) and may_see(request)):
        return _refused(HTTPStatus.FORBIDDEN, "You may not see replays, or your session has ended.")
    form = PageForm(request.GET)
    if not form.is_valid():
        return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, "There is no such project or range.")
    project, span = form.cleaned_data["project"], form.span()
    try:
        with engines_answering():
            page = compared_page(project, span, wait_s=WAIT_S, limit=HOURS)
    except Problem as exc:
        return _refused(exc.status, f"{exc.detail[:1].upper()}{exc.detail[1:]}.")
    except ComparisonStopped:
        return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, TOO_LONG)
    return JsonResponse(
        {
            **SummarySerializer(page.reconciliation).data,
            "data": HourSerializer(page.hours, many=True).data,
            "gap": page.gap.spans,
            "next_ms": page.next_ms,
        }
    )


def reconcile_replay(request: HttpRequest) -> HttpResponse:
    """Order a replay of the gap that the page found, by POST alone; 403 without the permission."""
    require(request, REQUEST)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    form = ComparedForm(request.POST, now_ms=CLOCK.now_ms())
    asked = GapForm(request.POST)
    if not (form.is_valid() and asked.is_valid()):
        return _page(request, form, asked)
    try:
        return _ordered(request, form.cleaned_data["project"], asked)
    except (ReplayError, StoreBackpressure) as exc:
        asked.add_error(None, f"Nothing was replayed: {exc}")
        return _page(request, form, asked)


def _ordered(request: HttpRequest, project: str, asked: GapForm) -> HttpResponse:
    said = asked.cleaned_data
    spans = said["gap"]
    whole = Span(spans[0].from_ms, spans[-1].to_ms)
    order = order_for(project, whole, reason=said["reason"], idempotency_key=str(said["key"]))
    done = repair(
        *(order, spans, actor_of(request), get_event_store()),
        is_to_start=may(request, Move.START),
        clock=CLOCK,
    )
    if done.later_count:
        messages.warning(request, LATER.format(done.later_count))
    if done.replay is not None:
        return to_detail(done.replay.id)
    return HttpResponseRedirect(reverse("reconcile-page"))


def _refused(status: int, sentence: str) -> JsonResponse:
    return JsonResponse({"detail": sentence}, status=status)

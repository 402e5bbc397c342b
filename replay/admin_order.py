"""The admin's pages that make a replay: New, with its estimate, and Confirm."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from replay import admin_words as words
from replay import orders, previews, services
from replay.admin_forms import ConfirmForm, OrderForm, typed_for
from replay.admin_site import (
    NO_WAREHOUSE,
    REQUEST,
    START,
    ReplaySite,
    actor_of,
    may,
    require,
    to_detail,
)
from replay.bars import bars_of
from replay.domain import LEGAL, Move, State
from replay.errors import InvalidReplay, ReplayError
from warehouse.backends import get_event_store
from warehouse.errors import StoreBackpressure
from warehouse.ports import HourCount


class OrderPages(ReplaySite):
    """New and Confirm."""

    def new(self, request: HttpRequest) -> HttpResponse:
        """The form and, once it is filled in, the figures. 403 without the permission."""
        require(request, REQUEST)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET"])
        now_ms = services.CLOCK.now_ms()
        form = OrderForm(request.GET if "project" in request.GET else None, now_ms=now_ms)
        context: dict[str, Any] = {"form": form}  # Any: a template's context
        if form.is_bound and form.is_valid():
            try:
                counts, found = _counted(form.order())
                context = {"form": form.fixed(counts)} | _figures(form, found)
            except StoreBackpressure:
                context["trouble"] = NO_WAREHOUSE
        return self.page(request, "new", "New replay", context)

    def confirm(self, request: HttpRequest) -> HttpResponse:
        """The figures again and the reason; a POST makes the replay. 403 as `new`."""
        require(request, REQUEST)
        data = request.POST if request.method == "POST" else request.GET
        form = OrderForm(data, now_ms=services.CLOCK.now_ms())
        if not form.is_valid():
            return self.page(request, "new", "New replay", {"form": form})
        try:
            return self._confirmed(request, form, previews.preview(form.order(), get_event_store()))
        except StoreBackpressure:
            context = {"form": form.fixed(), "trouble": NO_WAREHOUSE}
            return self.page(request, "new", "New replay", context)

    def _confirmed(
        self, request: HttpRequest, form: OrderForm, found: previews.Preview
    ) -> HttpResponse:
        posted = request.POST if request.method == "POST" else None
        asked = ConfirmForm(posted, typed=typed_for(found, form.order().source.project))
        if asked.is_bound and asked.is_valid():
            try:
                return self._made(request, form, asked)
            except InvalidReplay as exc:
                asked.add_error("reason" if exc.field == "reason" else None, str(exc))
            except ReplayError as exc:
                asked.add_error(None, str(exc))
        source = form.order().source
        context: dict[str, Any] = {  # Any: a template's context
            "form": form.fixed(),
            "asked": asked,
            "address": form.fixed_data().urlencode(),
            "from_utc": words.utc(source.from_ms),
            "to_utc": words.utc(source.to_ms),
            "may_start": may(request, Move.START),
        }
        context |= _figures(form, found)
        return self.page(request, "confirm", "Confirm the replay", context)

    def _made(self, request: HttpRequest, form: OrderForm, asked: ConfirmForm) -> HttpResponse:
        is_to_start = "start" in request.POST
        if is_to_start:
            require(request, START)
        said = asked.cleaned_data
        order = form.order(reason=said["reason"], idempotency_key=str(said["key"]))
        row = orders.create(order, actor_of(request), get_event_store())
        if is_to_start and State(row.state) in LEGAL[Move.START]:
            services.start(row.id, actor_of(request))
        return to_detail(row.id)


def _counted(order: orders.Order) -> tuple[Sequence[HourCount], previews.Preview]:
    """The names of the range that are known in time, and what the order would do."""
    store = get_event_store()
    found = previews.preview(order, store)
    if not order.source.events:
        return found.estimate.hours, found
    everything = replace(order, source=replace(order.source, events=()))
    return previews.preview(everything, store).estimate.hours, found


def _figures(
    form: OrderForm, found: previews.Preview
) -> dict[str, Any]:  # Any: a template's context
    estimate = found.estimate
    rate = form.rate()
    return {
        "bars": bars_of(estimate.hours),
        "overlaps": found.overlaps,
        "effect": found.effect,
        "events": form.cleaned_data["events"],
        "figures": {
            "Events": f"{'' if found.is_whole else 'at least '}{estimate.count:,}",
            "First, UTC": words.utc(estimate.first_ms),
            "Last, UTC": words.utc(estimate.last_ms),
            "Size": _size(estimate.size_bytes) if found.is_whole else "not known",
            "Rate": words.limit(rate.max_eps, rate.auto),
            "Takes": words.duration(found.duration_s) if found.is_whole else "not known",
        },
    }


def _size(size_bytes: int) -> str:
    """About so much."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            return f"about {size_bytes / factor:,.1f} {unit}"
    return f"about {size_bytes} bytes"

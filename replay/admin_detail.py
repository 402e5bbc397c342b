"""The admin's page of one replay: Detail, what it asks for as it moves, and the moves, each one
call of the service by POST."""

import time
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.template.response import TemplateResponse

from replay import admin_words as words
from replay import services
from replay.admin_forms import RateForm
from replay.admin_site import (
    NO_WAREHOUSE,
    PERMISSIONS,
    ReplaySite,
    actor_of,
    may,
    may_see,
    not_stored,
    require,
    to_detail,
)
from replay.bars import bars_of
from replay.domain import LEGAL, Move, State
from replay.errors import ReplayError, UnknownReplay
from replay.estimating import EstimateStopped, count_hours
from replay.journal import Actor
from replay.models import Replay
from replay.reports import report
from replay.rows import sources_of
from warehouse.backends import get_event_store
from warehouse.errors import StoreBackpressure

COUNT_S = 5.0
"""How long the page of a replay counts its hours."""
_MOVES: dict[Move, Callable[[str, Actor], Replay]] = {
    Move.ESTIMATE: services.count_again,
    Move.START: services.start,
    Move.PAUSE: services.pause,
    Move.RESUME: services.resume,
    Move.CANCEL: services.cancel,
    Move.RETRY: services.retry,
}


class DetailPages(ReplaySite):
    """Detail and what belongs to it."""

    def detail(self, request: HttpRequest, replay: str) -> HttpResponse:
        """Figures, log and buttons; 403 for whoever may not see replays, and for any POST."""
        if request.method not in {"GET", "HEAD"} or not may_see(request):
            raise PermissionDenied
        row = _row(replay)
        now = _seen(request, row)
        rate = RateForm({"max_eps": row.max_eps, "auto": row.auto}, auto_id="rate_%s")
        context = {
            "row": row,
            "what": words.what(row),
            "now": now,
            "buttons": _buttons(request, now["moves"]),
            "rate": rate if may(request, Move.RATE) else None,
        }
        return self.page(request, "detail", words.title(row), context)

    def progress(self, request: HttpRequest, replay: str) -> HttpResponse:
        """What moves of the page, as JSON, asked for every second; 403 when nobody is signed in
        who may see it."""
        if not self.site.has_permission(request):
            return _refused("Your session has ended: sign in again.")
        if not may_see(request):
            return _refused("You may not see replays.")
        return not_stored(JsonResponse(_seen(request, _row(replay))))

    def hours(self, request: HttpRequest, replay: str) -> HttpResponse:
        """Its events by hour as a part of a page; 403 as `progress`."""
        if not (self.site.has_permission(request) and may_see(request)):
            return _refused("You may not see replays, or your session has ended.")
        context: dict[str, Any] = {"is_moving": True}  # Any: a template's context
        until_s = time.monotonic() + COUNT_S
        store = get_event_store()
        try:
            counts = chain.from_iterable(
                count_hours(store, source, go_on=lambda: time.monotonic() < until_s)
                for source in sources_of(_row(replay))
            )
            context["bars"] = bars_of(counts)
        except StoreBackpressure:
            context["trouble"] = NO_WAREHOUSE
        except EstimateStopped:
            context["trouble"] = "These are too many hours to count for a page."
        return not_stored(TemplateResponse(request, "admin/replay/bars.html", context))

    def move(self, request: HttpRequest, replay: str, move: str) -> HttpResponse:
        """One move, by POST alone; what the state does not allow comes back as a message."""
        asked = Move(move)
        require(request, PERMISSIONS[asked])
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            self._moved(request, _row(replay).id, asked)
        except ReplayError as exc:
            messages.error(request, f"Nothing was changed: {exc}.")
        return to_detail(replay)

    def _moved(self, request: HttpRequest, replay: str, move: Move) -> None:
        if move is not Move.RATE:
            _MOVES[move](replay, actor_of(request))
            return
        form = RateForm(request.POST)
        if not form.is_valid():
            said = " ".join(str(error) for errors in form.errors.values() for error in errors)
            messages.error(request, f"The rate was not changed: {said}")
            return
        services.change_rate(replay, form.rate(), actor_of(request))


def _seen(request: HttpRequest, row: Replay) -> dict[str, Any]:  # Any: JSON
    """What moves, and the moves that its state and this user's permissions allow."""
    state = State(row.state)
    moves = [move.value for move in Move if may(request, move) and state in LEGAL[move]]
    return words.seen(report(row, now_ms=services.CLOCK.now_ms())) | {"moves": moves}


def _buttons(request: HttpRequest, legal: list[str]) -> list[dict[str, Any]]:  # Any: a context
    return [
        {"move": move.value, "verb": verb, "is_legal": move.value in legal}
        for move, verb in words.MOVE_WORDS.items()
        if may(request, move)
    ]


def _row(replay: str) -> Replay:
    try:
        return services.get(replay)
    except UnknownReplay as exc:
        raise Http404(str(exc)) from exc


def _refused(sentence: str) -> HttpResponse:
    return not_stored(JsonResponse({"detail": sentence}, status=HTTPStatus.FORBIDDEN))

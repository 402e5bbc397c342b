"""The admin's pages of generations: the list, one with what it shows other than the one served,
and what may be asked of it, each confirmed and one call of the service by POST."""

from http import HTTPStatus

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from replay import generation_words as words
from replay import rebuilds
from replay.admin_forms import RebuildForm
from replay.admin_site import (
    SERVE,
    START,
    ReplaySite,
    actor_of,
    may_see,
    require,
    to_detail,
)
from replay.errors import ReplayError
from replay.generation_diff import against_served, read_place
from replay.generation_serializers import diff_as_json
from replay.models import Replay
from replay.rebuilds import MOVES, Built
from timeseries.errors import (
    IllegalGenerationState,
    QueryTimeout,
    SeriesBackpressure,
    UnknownGeneration,
)

CELLS = 200
"""Differences of an answer: the page asks for more."""
_REFUSALS = (IllegalGenerationState, ReplayError)


def _site() -> ReplaySite:
    return ReplaySite(admin.site, Replay._meta)


def generations(request: HttpRequest) -> HttpResponse:
    """All of them, newest first; for whoever may see replays."""
    _require_sight(request)
    found = rebuilds.all_built()
    context = {
        "lines": [words.facts(built) for built in found],
        "building": next((each.row.number for each in found if each.row.state == "building"), None),
        "may_rebuild": request.user.has_perm(START),
    }
    return _site().page(request, "generations", "Generations of the view", context)


def one(request: HttpRequest, generation: int) -> HttpResponse:
    """Figures, buttons, and what it shows other than the one served."""
    _require_sight(request)
    built = _built(generation)
    is_shown = built.row.state != "dropped" and not built.row.is_served
    context = words.facts(built) | {
        "meaning": words.STATE_WORDS[str(built.row.state)],
        "moves": [(name, words.MOVES[name]) for name in _moves(request, built)],
        "served": rebuilds.served().row.number if is_shown else None,
    }
    return _site().page(request, "generation", f"Generation {generation}", context)


def rebuild(request: HttpRequest) -> HttpResponse:
    """The form; a POST begins. 403 without the permission."""
    require(request, START)
    form = RebuildForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        said = form.cleaned_data
        key = str(said["key"])
        try:
            row = rebuilds.begin(
                *(said["reason"], form.rate(), actor_of(request)), idempotency_key=key
            )
        except _REFUSALS as exc:
            form.add_error(None, f"Nothing was begun: {exc}.")
        else:
            return to_detail(row.id)
    return _site().page(request, "rebuild", "Rebuild the view", {"form": form})


def move(request: HttpRequest, generation: int, move: str) -> HttpResponse:
    """What it would do, to be confirmed; a POST does it. 403 without the permission."""
    require(request, SERVE)
    built = _built(generation)
    if move not in MOVES:
        raise Http404(move)
    if request.method != "POST":
        if move not in _moves(request, built):
            messages.error(request, f"Generation {generation} takes no {move} now.")
            return _to_generation(generation)
        context = words.facts(built) | {"move": move, "what": words.MOVES[move]}
        return _site().page(request, "generation_move", f"Generation {generation}", context)
    try:
        moved = MOVES[move](generation, actor_of(request))
    except _REFUSALS as exc:
        messages.error(request, f"Nothing was changed: {exc}.")
        return _to_generation(generation)
    messages.success(request, _DONE[move].format(moved.row.number))
    return _to_generation(moved.row.number)


_DONE = {
    "verify": "Generation {} is compared with the warehouse.",
    "swap": "Generation {} is served.",
    "rollback": "Generation {} is served again.",
    "drop": "Generation {} is dropped.",
}


@never_cache
@require_safe
def diff(request: HttpRequest, generation: int) -> HttpResponse:
    """A page of what it shows other than the one served, as JSON; 403 when nobody is signed in who
    may see it, 422 for one that has nothing to be compared, 503 while the view is away."""
    if not (admin.site.has_permission(request) and may_see(request)):
        return _refused(HTTPStatus.FORBIDDEN, "You may not see it, or your session has ended.")
    place = read_place(request.GET["cursor"]) if request.GET.get("cursor") else None
    try:
        compared = against_served(generation)
        page = compared.page(after=place, limit=CELLS)
    except (UnknownGeneration, IllegalGenerationState) as exc:
        return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"Nothing was compared: {exc}.")
    except (SeriesBackpressure, QueryTimeout):
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "The view does not answer now. Try again.")
    return JsonResponse(diff_as_json(compared, page))


def _moves(request: HttpRequest, built: Built) -> list[str]:
    """What its state and this user's permissions allow."""
    if not request.user.has_perm(SERVE):
        return []
    can_go_back = any(each.row.is_previous for each in rebuilds.all_built())
    return words.legal(built, can_go_back=can_go_back)


def _built(generation: int) -> Built:
    try:
        return rebuilds.get(generation)
    except UnknownGeneration as exc:
        raise Http404(str(exc)) from exc


def _require_sight(request: HttpRequest) -> None:
    if request.method not in {"GET", "HEAD"} or not may_see(request):
        raise PermissionDenied


def _to_generation(generation: int) -> HttpResponse:
    return HttpResponseRedirect(reverse("generation-page", args=[generation]))


def _refused(status: int, sentence: str) -> JsonResponse:
    return JsonResponse({"detail": sentence}, status=status)

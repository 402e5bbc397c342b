"""`/v1/replays`: replays of the token's own project, for tokens with scope replay."""

from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from access.claims import Claims, Scope
from access.drf import TokenView, claims_of
from access.problems import Code, FieldError, Problem
from replay import orders, services
from replay.domain import Move, is_replay_id
from replay.errors import IllegalMove, InvalidReplay, KeyReused, ReplayError, UnknownReplay
from replay.journal import Actor, Via
from replay.models import Replay
from replay.payloads import parse_order, parse_rate
from replay.reports import report, reports
from replay.serializers import (
    LogEntrySerializer,
    ReplayListSerializer,
    ReplayPreviewSerializer,
    ReplaySerializer,
    preview_as_json,
    replay_as_json,
)
from warehouse.backends import get_event_store
from warehouse.errors import StoreBackpressure

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_KEY_CHARS = 255
NOT_STORED = {"Cache-Control": "no-store"}
_PROBLEM = "application/problem+json"
_REQUEST = {"application/json": {"$ref": "#/components/schemas/ReplayRequest"}}
_CHANGE = {"application/json": {"$ref": "#/components/schemas/ReplayChange"}}


class ReplayView(TokenView):
    """What every door of replays shares."""

    required_scope = Scope.REPLAY

    def handle_exception(self, exc: Exception) -> Any:  # Any: as TokenView's
        """Refusals of the service as problem documents."""
        return super().handle_exception(as_problem(exc))

    def actor(self, request: Request) -> Actor:
        """Who asks, for the log."""
        claims = claims_of(request)
        return Actor(f"{claims.subject} (key {(claims.kid or '')[:16]})", Via.REST)


def as_problem(exc: Exception) -> Exception:
    """The problem that a refusal is; anything else as it came."""
    match exc:
        case InvalidReplay():
            errors = [FieldError(exc.code, field=exc.field or None)]
            return Problem(422, exc.code, str(exc), errors=errors)
        case IllegalMove():
            return Problem(409, exc.code, str(exc), extensions={"state": exc.state.value})
        case UnknownReplay():
            return Problem(404, exc.code, "there is no such replay in your project")
        case KeyReused():
            return Problem(409, exc.code, str(exc))
        case ReplayError():
            return Problem(422, exc.code, str(exc))
        case StoreBackpressure():
            retry_after = str(max(1, round(exc.retry_after_s)))
            detail = "the warehouse does not answer: try again"
            headers = {"Retry-After": retry_after}
            return Problem(503, Code.STORE_UNAVAILABLE, detail, headers=headers)
        case _:
            return exc


class ReplaysView(ReplayView):
    """The project's replays."""

    @extend_schema(
        operation_id="replays",
        summary="The project's replays, newest first",
        tags=["replay"],
        parameters=[
            OpenApiParameter("limit", OpenApiTypes.INT, description=f"1 to {MAX_LIMIT}"),
            OpenApiParameter("cursor", OpenApiTypes.STR, description="next_cursor as it came"),
        ],
        responses={
            200: OpenApiResponse(ReplayListSerializer, "A page"),
            (422, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "No such limit or cursor"),
        },
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        claims, limit = claims_of(request), _limit(request.query_params)
        before = request.query_params.get("cursor") or None
        if before is not None and not is_replay_id(before):
            raise InvalidReplay("cursor", "cursor takes a next_cursor as it came")
        rows = services.newest(project=claims.project, before=before, limit=limit + 1)
        shown = reports(rows[:limit], now_ms=services.CLOCK.now_ms())
        page = {
            "data": [replay_as_json(each) for each in shown],
            "next_cursor": rows[limit - 1].id if len(rows) > limit else None,
        }
        return Response(page, headers=NOT_STORED)

    @extend_schema(
        operation_id="create_replay",
        summary="Ask for a replay; it is started by POST /v1/replays/{id}/start",
        tags=["replay"],
        request=_REQUEST,
        parameters=[
            OpenApiParameter(
                "dry_run", OpenApiTypes.STR, enum=["1"], description="only say what it would do"
            ),
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="the same request under the same key is the same replay",
            ),
        ],
        responses={
            200: OpenApiResponse(ReplayPreviewSerializer, "The dry run"),
            201: OpenApiResponse(ReplaySerializer, "The replay, at Location"),
            (409, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "The key was used before"),
            (415, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not JSON"),
            (400, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Unreadable"),
            (422, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "It can't be run, and why"),
        },
    )
    def post(self, request: Request) -> Response:
        """Make one, or say what it would do."""
        claims = claims_of(request)
        _refuse_filtered(claims)
        key = request.headers.get("Idempotency-Key") or None
        if key is not None and len(key) > MAX_KEY_CHARS:
            raise InvalidReplay("Idempotency-Key", f"at most {MAX_KEY_CHARS} characters")
        order = parse_order(request.data, project=claims.project, idempotency_key=key)
        if _is_dry_run(request.query_params.getlist("dry_run")):
            found = orders.preview(order, get_event_store())
            return Response(preview_as_json(found), headers=NOT_STORED)
        row = orders.create(order, self.actor(request), get_event_store())
        headers = {"Location": f"/v1/replays/{row.id}"} | NOT_STORED
        return Response(_shown(row), status=201, headers=headers)


class OneReplayView(ReplayView):
    """One replay."""

    @extend_schema(
        operation_id="replay",
        summary="State, worker, progress and log of a replay",
        tags=["replay"],
        responses={
            200: OpenApiResponse(ReplaySerializer, "The replay as of now"),
            (404, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not in this project"),
        },
    )
    def get(self, request: Request, replay: str) -> Response:
        """The replay, with its log."""
        row = services.get(replay, project=claims_of(request).project)
        log = LogEntrySerializer(services.log_of(replay), many=True).data
        return Response(_shown(row) | {"log": log}, headers=NOT_STORED)

    @extend_schema(
        operation_id="change_replay",
        summary="Change its rate, also while it runs",
        tags=["replay"],
        request=_CHANGE,
        responses={
            200: OpenApiResponse(ReplaySerializer, "The replay as of now"),
            (400, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Unreadable"),
            (404, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not in this project"),
            (409, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "It has ended"),
            (415, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not JSON"),
            (422, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "No such rate"),
        },
    )
    def patch(self, request: Request, replay: str) -> Response:
        """Change the rate."""
        services.get(replay, project=claims_of(request).project)
        rate = parse_rate(request.data)
        row = services.change_rate(replay, rate, self.actor(request))
        return Response(_shown(row), headers=NOT_STORED)


_MOVES = {
    Move.START: services.start,
    Move.PAUSE: services.pause,
    Move.RESUME: services.resume,
    Move.CANCEL: services.cancel,
    Move.RETRY: services.retry,
}


class MoveView(ReplayView):
    """What may be asked of one replay."""

    @extend_schema(
        operation_id="move_replay",
        summary="Start, pause, resume, cancel or retry",
        tags=["replay"],
        request=None,
        parameters=[
            OpenApiParameter(
                "move",
                OpenApiTypes.STR,
                OpenApiParameter.PATH,
                enum=[move.value for move in _MOVES],
            )
        ],
        responses={
            202: OpenApiResponse(ReplaySerializer, "Taken; a replayer follows within a second"),
            (404, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not in this project"),
            (409, _PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Its state does not allow it"),
        },
    )
    def post(self, request: Request, replay: str, move: str) -> Response:
        """Ask for it."""
        services.get(replay, project=claims_of(request).project)
        row = _MOVES[Move(move)](replay, self.actor(request))
        return Response(_shown(row), status=202, headers=NOT_STORED)


def _shown(row: Replay) -> dict[str, Any]:  # Any: JSON
    return replay_as_json(report(row, now_ms=services.CLOCK.now_ms()))


def _limit(given: Mapping[str, str]) -> int:
    text = given.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise InvalidReplay("limit", f"limit takes 1 to {MAX_LIMIT}")
    return int(text)


def _is_dry_run(given: Sequence[str]) -> bool:
    """Nobody who asks for one in other words gets a replay."""
    if given and list(given) != ["1"]:
        raise InvalidReplay("dry_run", "dry_run takes 1, or is left out")
    return bool(given)


def _refuse_filtered(claims: Claims) -> None:
    """A replay tells of events, and writes them, that such a token does not see."""
    if claims.filter is not None:
        detail = "this token sees a part of the project alone: a replay needs one without a filter"
        raise Problem(403, Code.MISSING_SCOPE, detail)

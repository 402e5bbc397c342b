"""`/v1/replays/{id}`: one replay of the token's own project, for scope replay; or a rebuild of the
whole view, for scope operate."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from access.claims import Scope
from access.drf import claims_of
from replay import services
from replay.api_views import NOT_STORED, PROBLEM, ReplayView, shown
from replay.domain import Mode, Move
from replay.errors import UnknownReplay
from replay.models import Replay
from replay.payloads import parse_rate
from replay.serializers import LogEntrySerializer, ReplaySerializer

_CHANGE = {"application/json": {"$ref": "#/components/schemas/ReplayChange"}}


class OneView(ReplayView):
    """What the doors of one replay share: scope replay opens the project's own, scope operate
    rebuilds."""

    also_scope = Scope.OPERATE


def _reachable(request: Request, replay: str) -> Replay:
    """Raises UnknownReplay, also for one that the token does not open."""
    claims, row = claims_of(request), services.get(replay)
    is_rebuild = row.mode == Mode.NEW_GENERATION.value
    is_open = claims.may(Scope.OPERATE if is_rebuild else Scope.REPLAY)
    if not is_open or not (is_rebuild or row.project == claims.project):
        raise UnknownReplay
    return row


class OneReplayView(OneView):
    """One replay."""

    @extend_schema(
        operation_id="replay",
        summary="State, worker, progress and log of a replay",
        tags=["replay"],
        responses={
            200: OpenApiResponse(ReplaySerializer, "The replay as of now"),
            (404, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not in this project"),
        },
    )
    def get(self, request: Request, replay: str) -> Response:
        """The replay, with its log."""
        row = _reachable(request, replay)
        log = LogEntrySerializer(services.log_of(replay), many=True).data
        return Response(shown(row) | {"log": log}, headers=NOT_STORED)

    @extend_schema(
        operation_id="change_replay",
        summary="Change its rate, also while it runs",
        tags=["replay"],
        request=_CHANGE,
        responses={
            200: OpenApiResponse(ReplaySerializer, "The replay as of now"),
            (400, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Unreadable"),
            (404, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not in this project"),
            (409, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "It has ended"),
            (415, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not JSON"),
            (422, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "No such rate"),
        },
    )
    def patch(self, request: Request, replay: str) -> Response:
        """Change the rate."""
        _reachable(request, replay)
        rate = parse_rate(request.data)
        row = services.change_rate(replay, rate, self.actor(request))
        return Response(shown(row), headers=NOT_STORED)


_MOVES = {
    Move.START: services.start,
    Move.PAUSE: services.pause,
    Move.RESUME: services.resume,
    Move.CANCEL: services.cancel,
    Move.RETRY: services.retry,
}


class MoveView(OneView):
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
            (404, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not in this project"),
            (409, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Its state does not allow it"),
        },
    )
    def post(self, request: Request, replay: str, move: str) -> Response:
        """Ask for it."""
        _reachable(request, replay)
        row = _MOVES[Move(move)](replay, self.actor(request))
        return Response(shown(row), status=202, headers=NOT_STORED)

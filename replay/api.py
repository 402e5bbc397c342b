"""`/v1/replays`: replays of the token's own project, for tokens with scope replay; a rebuild of the
whole view is begun here, too, by those that have scope operate as well."""

from collections.abc import Sequence

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from access.claims import Scope
from access.drf import claims_of
from access.problems import Code, Problem
from access.refusals import missing_scope
from replay import orders, previews, rebuilds, services
from replay.api_views import (
    NOT_STORED,
    PAGED,
    PROBLEM,
    WRONG_PAGE,
    ReplayView,
    cursor_of,
    idempotency_key_of,
    idempotency_parameter,
    limit_of,
    refuse_filtered,
    shown,
)
from replay.domain import is_replay_id
from replay.errors import InvalidReplay
from replay.models import Replay
from replay.payloads import ReplayRequest, order_of, parse_replay, rebuild_of
from replay.reports import reports
from replay.serializers import (
    ReplayListSerializer,
    ReplayPreviewSerializer,
    ReplaySerializer,
    preview_as_json,
    replay_as_json,
)
from timeseries.errors import IllegalGenerationState
from warehouse.backends import get_event_store

_REQUEST = {"application/json": {"$ref": "#/components/schemas/ReplayRequest"}}


class ReplaysView(ReplayView):
    """The project's replays."""

    @extend_schema(
        operation_id="replays",
        summary="The project's replays, newest first",
        tags=["replay"],
        parameters=PAGED,
        responses={200: OpenApiResponse(ReplayListSerializer, "A page")} | WRONG_PAGE,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        claims, given = claims_of(request), request.query_params
        limit, before = limit_of(given), cursor_of(given, _read_id)
        rows = services.newest(project=claims.project, before=before, limit=limit + 1)
        found = reports(rows[:limit], now_ms=services.CLOCK.now_ms())
        page = {
            "data": [replay_as_json(each) for each in found],
            "next_cursor": rows[limit - 1].id if len(rows) > limit else None,
        }
        return Response(page, headers=NOT_STORED)

    @extend_schema(
        operation_id="create_replay",
        summary="Ask for a replay; it is started by POST /v1/replays/{id}/start. One for a new "
        "generation needs scope operate as well, and begins at once, as POST /v1/generations does",
        tags=["replay"],
        request=_REQUEST,
        parameters=[
            OpenApiParameter(
                "dry_run", OpenApiTypes.STR, enum=["1"], description="only say what it would do"
            ),
            idempotency_parameter("replay"),
        ],
        responses={
            200: OpenApiResponse(ReplayPreviewSerializer, "The dry run"),
            201: OpenApiResponse(ReplaySerializer, "The replay, at Location"),
            (409, PROBLEM): OpenApiResponse(
                OpenApiTypes.OBJECT, "The key was used before, or a generation is being built"
            ),
            (415, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not JSON"),
            (400, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Unreadable"),
            (422, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "It can't be run, and why"),
        },
    )
    def post(self, request: Request) -> Response:
        """Make one, or say what it would do."""
        claims = claims_of(request)
        refuse_filtered(claims)
        key, asked = idempotency_key_of(request), parse_replay(request.data)
        is_dry_run = _is_dry_run(request.query_params.getlist("dry_run"))
        if asked.is_rebuild():
            return _made(self._begin_rebuild(request, asked, key, is_dry_run=is_dry_run))
        order = order_of(asked, project=claims.project, idempotency_key=key)
        if is_dry_run:
            found = previews.preview(order, get_event_store())
            return Response(preview_as_json(found), headers=NOT_STORED)
        return _made(orders.create(order, self.actor(request), get_event_store()))

    def _begin_rebuild(
        self, request: Request, asked: ReplayRequest, key: str | None, *, is_dry_run: bool
    ) -> Replay:
        if not claims_of(request).may(Scope.OPERATE):
            raise missing_scope(Scope.OPERATE)
        reason, rate = rebuild_of(asked)
        if is_dry_run:
            raise InvalidReplay("dry_run", "a rebuild is counted when it begins: leave dry_run out")
        try:
            return rebuilds.begin(reason, rate, self.actor(request), idempotency_key=key)
        except IllegalGenerationState as exc:
            building = {"state": "building"}
            raise Problem(409, Code.ILLEGAL_STATE, str(exc), extensions=building) from exc


def _made(row: Replay) -> Response:
    headers = {"Location": f"/v1/replays/{row.id}"} | NOT_STORED
    return Response(shown(row), status=201, headers=headers)


def _read_id(text: str) -> str | None:
    return text if is_replay_id(text) else None


def _is_dry_run(given: Sequence[str]) -> bool:
    """Nobody who asks for one in other words gets a replay."""
    if given and list(given) != ["1"]:
        raise InvalidReplay("dry_run", "dry_run takes 1, or is left out")
    return bool(given)

"""`/v1/replays`: replays of the token's own project, for tokens with scope replay."""

from collections.abc import Sequence

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from access.drf import claims_of
from replay import orders, previews, services
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
from replay.payloads import parse_order
from replay.reports import reports
from replay.serializers import (
    ReplayListSerializer,
    ReplayPreviewSerializer,
    ReplaySerializer,
    preview_as_json,
    replay_as_json,
)
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
        summary="Ask for a replay; it is started by POST /v1/replays/{id}/start",
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
            (409, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "The key was used before"),
            (415, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not JSON"),
            (400, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Unreadable"),
            (422, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "It can't be run, and why"),
        },
    )
    def post(self, request: Request) -> Response:
        """Make one, or say what it would do."""
        claims = claims_of(request)
        refuse_filtered(claims)
        key = idempotency_key_of(request)
        order = parse_order(request.data, project=claims.project, idempotency_key=key)
        if _is_dry_run(request.query_params.getlist("dry_run")):
            found = previews.preview(order, get_event_store())
            return Response(preview_as_json(found), headers=NOT_STORED)
        row = orders.create(order, self.actor(request), get_event_store())
        headers = {"Location": f"/v1/replays/{row.id}"} | NOT_STORED
        return Response(shown(row), status=201, headers=headers)


def _read_id(text: str) -> str | None:
    return text if is_replay_id(text) else None


def _is_dry_run(given: Sequence[str]) -> bool:
    """Nobody who asks for one in other words gets a replay."""
    if given and list(given) != ["1"]:
        raise InvalidReplay("dry_run", "dry_run takes 1, or is left out")
    return bool(given)

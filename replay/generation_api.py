"""`/v1/generations`: builds of the whole view, for tokens with scope operate."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from access.claims import Scope
from access.drf import claims_of
from access.problems import Code, Problem
from replay import rebuilds
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
)
from replay.generation_diff import against_served, read_place
from replay.generation_serializers import (
    GenerationDiffSerializer,
    GenerationListSerializer,
    GenerationSerializer,
    diff_as_json,
    generation_as_json,
)
from replay.payloads import parse_rebuild
from replay.rebuilds import MOVES, Built
from timeseries.errors import (
    IllegalGenerationState,
    QueryTimeout,
    SeriesBackpressure,
    UnknownGeneration,
)

MAX_DIGITS = 9
_REQUEST = {"application/json": {"$ref": "#/components/schemas/RebuildRequest"}}
_UNKNOWN = {(404, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "There is no such generation")}


class GenerationView(ReplayView):
    """What the doors of generations share."""

    required_scope = Scope.OPERATE

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # Any: DRF's own types
        """Raises Problem 403 for a token that sees a part of its project alone."""
        super().initial(request, *args, **kwargs)
        refuse_filtered(claims_of(request))

    def handle_exception(self, exc: Exception) -> Any:  # Any: as TokenView's
        """Refusals of the view, too; an illegal move says the state."""
        match exc:
            case UnknownGeneration():
                exc = Problem(404, Code.NOT_FOUND, str(exc))
            case IllegalGenerationState():
                state = {"state": self._state()}
                exc = Problem(409, Code.ILLEGAL_STATE, str(exc), extensions=state)
            case SeriesBackpressure():
                headers = {"Retry-After": str(max(1, round(exc.retry_after_s)))}
                detail = "the view does not answer: try again"
                exc = Problem(503, Code.INDEX_UNAVAILABLE, detail, headers=headers)
            case QueryTimeout():
                exc = Problem(504, Code.QUERY_TIMEOUT, str(exc))
        return super().handle_exception(exc)

    def _state(self) -> str:
        number = self.kwargs.get("generation")
        return "building" if number is None else str(rebuilds.get(int(number)).row.state)


class GenerationsView(GenerationView):
    """All of them."""

    @extend_schema(
        operation_id="generations",
        summary="Generations of the view, newest first",
        tags=["generations"],
        parameters=PAGED,
        responses={200: OpenApiResponse(GenerationListSerializer, "A page")} | WRONG_PAGE,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        given = request.query_params
        limit, before = limit_of(given), cursor_of(given, _read_number)
        found = rebuilds.all_built()
        if before is not None:
            found = [built for built in found if built.row.number < before]
        page = found[:limit]
        cursor = str(page[-1].row.number) if len(found) > limit else None
        data = [generation_as_json(built) for built in page]
        return Response({"data": data, "next_cursor": cursor}, headers=NOT_STORED)

    @extend_schema(
        operation_id="begin_generation",
        summary="Build the whole view anew; the view is served meanwhile as it is",
        tags=["generations"],
        request=_REQUEST,
        parameters=[idempotency_parameter("generation")],
        responses={
            201: OpenApiResponse(GenerationSerializer, "The generation, at Location"),
            (400, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Unreadable"),
            (409, PROBLEM): OpenApiResponse(
                OpenApiTypes.OBJECT, "One is being built, or the key was used before"
            ),
            (415, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not JSON"),
            (422, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "It can't be run, and why"),
        },
    )
    def post(self, request: Request) -> Response:
        """Begin one; a replayer builds it at once."""
        reason, rate = parse_rebuild(request.data)
        key = idempotency_key_of(request)
        row = rebuilds.begin(reason, rate, self.actor(request), idempotency_key=key)
        built = rebuilds.get(row.generation or 0)
        headers = {"Location": f"/v1/generations/{row.generation}"} | NOT_STORED
        return Response(generation_as_json(built), status=201, headers=headers)


class OneGenerationView(GenerationView):
    """One of them."""

    @extend_schema(
        operation_id="generation",
        summary="State of a generation, and of the replay that builds it",
        tags=["generations"],
        responses={200: OpenApiResponse(GenerationSerializer, "The generation as of now")}
        | _UNKNOWN,
    )
    def get(self, request: Request, generation: int) -> Response:
        """The generation."""
        return _answer(rebuilds.get(generation))


class GenerationMoveView(GenerationView):
    """What may be asked of one."""

    @extend_schema(
        operation_id="move_generation",
        summary="Verify it again, serve it, go back from it to the one before, or drop it",
        tags=["generations"],
        request=None,
        parameters=[
            OpenApiParameter("generation", OpenApiTypes.INT, OpenApiParameter.PATH),
            OpenApiParameter("move", OpenApiTypes.STR, OpenApiParameter.PATH, enum=list(MOVES)),
        ],
        responses={
            200: OpenApiResponse(
                GenerationSerializer, "The generation as of now; of a rollback the one served since"
            ),
            202: OpenApiResponse(GenerationSerializer, "A replayer compares it with the warehouse"),
            (409, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Its state does not allow it"),
        }
        | _UNKNOWN,
    )
    def post(self, request: Request, generation: str, move: str) -> Response:
        """Do it."""
        status = 202 if move == "verify" else 200  # a replayer does that one
        return _answer(MOVES[move](int(generation), self.actor(request)), status)


class DiffView(GenerationView):
    """What it shows other than the one that is served."""

    @extend_schema(
        operation_id="generation_diff",
        summary="Hours and events that it counts or shows other than the one served",
        tags=["generations"],
        parameters=PAGED,
        responses={
            200: OpenApiResponse(GenerationDiffSerializer, "A page, ascending"),
            (409, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "It was dropped"),
            (504, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "The view took too long"),
        }
        | _UNKNOWN
        | WRONG_PAGE,
    )
    def get(self, request: Request, generation: int) -> Response:
        """A page of it."""
        given = request.query_params
        limit, after = limit_of(given), cursor_of(given, read_place)
        diff = against_served(generation)
        page = diff.page(after=after, limit=limit)
        return Response(diff_as_json(diff, page), headers=NOT_STORED)


def _answer(built: Built, status: int = 200) -> Response:
    return Response(generation_as_json(built), status=status, headers=NOT_STORED)


def _read_number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS
    return int(text) if is_number else None

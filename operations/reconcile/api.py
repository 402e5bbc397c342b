"""`/v1/reconcile`: warehouse and view of the token's project, hour by hour, and a replay of what
differs, for tokens with scope repair."""

from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from django.urls import URLPattern, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from access.claims import Scope
from access.problems import Code, Problem
from feed.event import LAST_KEY_MS
from ingest.time_arguments import moment_ms
from ingest.timestamps import format_time
from operations.api_problems import engines_answering, project_seen_whole, wrong_parameter
from operations.reconcile.paging import (
    ComparisonStopped,
    HoursPage,
    compared_page,
    compared_whole,
)
from operations.reconcile.payloads import parse_repair
from operations.reconcile.repair import Repair, begun, order_for, repair
from operations.reconcile.serializers import HourSerializer, SummarySerializer
from replay import orders
from replay.api_views import (
    NOT_STORED,
    PROBLEM,
    ReplayView,
    idempotency_key_of,
    idempotency_parameter,
    shown,
)
from replay.domain import Span
from replay.serializers import ReplaySerializer
from replay.services import CLOCK
from warehouse.backends import get_event_store

DEFAULT_HOURS, MOST_HOURS = 50, 200
DEFAULT_WAIT_S, MOST_WAIT_S = 10, 25


class ReconciledSerializer(SummarySerializer):
    """A page of hours, and what they come to; ask again with the cursor for the next ones."""

    # DRF takes over fields of any name; its stubs know only its own `data`.
    data = HourSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class RepairedSerializer(serializers.Serializer[object]):
    """What was found, and the replay of it."""

    comparison = SummarySerializer(
        allow_null=True, help_text="null: the same was asked for before, and was not compared again"
    )
    replay = ReplaySerializer(allow_null=True, help_text="null: nothing to replay")
    later = serializers.IntegerField(
        allow_null=True, help_text="spans of events dated ahead, which cannot be replayed yet"
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters."""

    span: Span
    wait_s: int
    limit: int


class ReconcileView(ReplayView):
    """Warehouse and view side by side, and what brings them together."""

    required_scope = Scope.REPAIR

    @extend_schema(
        operation_id="reconcile",
        summary="Whether the view holds what the warehouse holds, by hour and down to keys",
        tags=["operations"],
        parameters=[
            OpenApiParameter("from", str, description="a date or RFC 3339, UTC"),
            OpenApiParameter("to", str, description="the end, itself not compared"),
            OpenApiParameter("wait", int, description="seconds for sink and projector, up to 25"),
            OpenApiParameter("limit", int, description="hours of a page, up to 200"),
            OpenApiParameter("cursor", str, description="`next_cursor` of the page before"),
        ],
        responses={
            200: OpenApiResponse(ReconciledSerializer, "Hours that hold anything, ascending"),
            (400, "application/problem+json"): OpenApiResponse(
                {"$ref": "#/components/schemas/Problem"}, "A parameter is wrong, as `errors` says"
            ),
            (422, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "One hour holds too much"),
            (504, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "The view took too long"),
        },
    )
    def get(self, request: Request) -> Response:
        """Of the token's own project. Only what is no lag is called a difference."""
        project, asked = project_seen_whole(request), _asked(request.query_params)
        with engines_answering(), comparing_in_time():
            page = compared_page(project, asked.span, wait_s=asked.wait_s, limit=asked.limit)
        return Response(_page_as_json(page), headers=NOT_STORED)

    @extend_schema(
        operation_id="repair",
        summary="Compare, and replay exactly what the view lacks or has otherwise",
        tags=["operations"],
        request={"application/json": {"$ref": "#/components/schemas/RepairRequest"}},
        parameters=[idempotency_parameter("replay")],
        responses={
            200: OpenApiResponse(RepairedSerializer, "Nothing to replay"),
            201: OpenApiResponse(RepairedSerializer, "A replay was started, at Location"),
            (400, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Unreadable"),
            (409, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "The key was used before"),
            (415, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Not JSON"),
            (422, PROBLEM): OpenApiResponse(
                OpenApiTypes.OBJECT, "It can't be run; or comparing takes too long: see compared_to"
            ),
            (504, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "The view took too long"),
        },
    )
    def post(self, request: Request) -> Response:
        """A range that takes too long to compare is refused, and nothing is replayed."""
        project = project_seen_whole(request)
        compared, reason = parse_repair(request.data)
        orders.check_reason(reason)
        key = idempotency_key_of(request)
        order = order_for(project, compared, reason=reason, idempotency_key=key)
        known = orders.known_replay(order)
        if known is not None:
            actor = self.actor(request)
            return _repaired(None, Repair(begun(known, actor, clock=CLOCK), None))
        with engines_answering(), comparing_in_time():
            page = compared_whole(project, compared, wait_s=DEFAULT_WAIT_S)
            done = repair(
                *(order, page.gap.spans, self.actor(request), get_event_store()), clock=CLOCK
            )
        return _repaired(page, done)


@contextmanager
def comparing_in_time() -> Iterator[None]:
    """Raises Problem 422 for a comparison that was stopped within, saying how far it came."""
    try:
        yield
    except ComparisonStopped as exc:
        reached = format_time(exc.reached_ms)
        detail = (
            f"comparing takes too long: up to {reached} it was done. Ask for a shorter range; "
            "manage.py reconcile compares one of any length"
        )
        extensions = {"compared_to": reached}
        raise Problem(422, Code.QUERY_TOO_COSTLY, detail, extensions=extensions) from exc


def _page_as_json(page: HoursPage) -> Mapping[str, object]:
    return {
        **SummarySerializer(page.reconciliation).data,
        "data": HourSerializer(page.hours, many=True).data,
        "next_cursor": None if page.next_ms is None else str(page.next_ms),
    }


def _repaired(page: HoursPage | None, done: Repair) -> Response:
    said = {
        "comparison": None if page is None else SummarySerializer(page.reconciliation).data,
        "replay": None if done.replay is None else shown(done.replay),
        "later": done.later_count,
    }
    if done.replay is None:
        return Response(said, headers=NOT_STORED)
    headers = {"Location": f"/v1/replays/{done.replay.id}"} | NOT_STORED
    return Response(said, status=201, headers=headers)


def _asked(given: Mapping[str, str]) -> Asked:
    start_ms, end_ms = _moment(given, "from", 0), _moment(given, "to", LAST_KEY_MS)
    if start_ms >= end_ms:
        raise wrong_parameter("from", "from must be before to: the end is not part of the range")
    cursor_ms = _number(given, "cursor", default=start_ms, least=0, most=LAST_KEY_MS)
    return Asked(
        Span(min(max(start_ms, cursor_ms), end_ms), end_ms),
        _number(given, "wait", default=DEFAULT_WAIT_S, least=0, most=MOST_WAIT_S),
        _number(given, "limit", default=DEFAULT_HOURS, least=1, most=MOST_HOURS),
    )


def _moment(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    try:
        return min(moment_ms(text), LAST_KEY_MS)
    except ArgumentTypeError as exc:
        raise wrong_parameter(name, str(exc)) from exc


def _number(given: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not is_number or not least <= int(text) <= most:
        raise wrong_parameter(name, f"{name} takes a whole number from {least} to {most}")
    return int(text)


urlpatterns: list[URLPattern] = [
    path("v1/reconcile", ReconcileView.as_view(), name="reconcile"),
]

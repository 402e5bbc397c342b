"""`GET /v1/reconcile`: warehouse and view of the token's project, hour by hour, for tokens with
scope repair."""

import time
from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from access.claims import Scope
from access.drf import TokenView
from feed.event import HOUR_MS, LAST_KEY_MS
from ingest.time_arguments import moment_ms
from operations.api_problems import engines_answering, project_seen_whole, wrong_parameter
from operations.reconcile.opening import open_reconciliation
from operations.reconcile.serializers import HourSerializer, SummarySerializer
from replay.domain import Span
from replay.verification.outcome import Hour

DEFAULT_HOURS, MOST_HOURS = 50, 200
DEFAULT_WAIT_S, MOST_WAIT_S = 10, 25
MOST_KEPT = 100
"""Keys told of an hour."""
ENOUGH_S = 10.0
"""After this long no further hour is begun: the rest is asked for by cursor."""


class ReconciledSerializer(SummarySerializer):
    """A page of hours, and what they come to; ask again with the cursor for the next ones."""

    # DRF takes over fields of any name; its stubs know only its own `data`.
    data = HourSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters."""

    span: Span
    wait_s: int
    limit: int


class ReconcileView(TokenView):
    """Warehouse and view side by side."""

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
        },
    )
    def get(self, request: Request) -> Response:
        """Of the token's own project. Only what is no lag is called a difference."""
        project, asked = project_seen_whole(request), _asked(request.query_params)
        with engines_answering():
            said = _page(project, asked)
        return Response(said, headers={"Cache-Control": "no-store"})


def _page(project: str, asked: Asked) -> Mapping[str, object]:
    reconciliation = open_reconciliation(
        project, asked.span, wait_s=asked.wait_s, most_kept=MOST_KEPT
    )
    until_s = time.monotonic() + ENOUGH_S
    hours: list[Hour] = []
    is_more = False
    for hour in reconciliation.hours():
        hours.append(hour)
        is_more = len(hours) == asked.limit or time.monotonic() > until_s
        if is_more:
            break
    cursor = hours[-1].hour_ms + HOUR_MS if is_more else asked.span.to_ms
    return {
        **SummarySerializer(reconciliation).data,
        "data": HourSerializer(hours, many=True).data,
        "next_cursor": str(cursor) if cursor < asked.span.to_ms else None,
    }


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

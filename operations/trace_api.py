"""`GET /v1/events/{key}/trace` and `GET /v1/trace?id=…&timestamp=…`, for tokens with scope
query."""

import re
from collections.abc import Mapping

from django.urls import URLPattern, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from access.claims import Scope
from access.drf import TokenView
from access.drf_fields import TimeField
from feed.event import LAST_KEY_MS, EventKey, event_key, parse_key
from ingest.identifiers import time_in_id
from ingest.timestamps import parse_time
from operations.api_problems import engines_answering, project_seen_whole, wrong_parameter
from operations.trace import trace
from timeseries.backends import get_series_store
from warehouse.backends import get_event_store

MAX_ID_CHARS = 128
_EPOCH_MS = re.compile(r"[0-9]{1,15}")


class StoredSerializer(serializers.Serializer[object]):
    """The event in the warehouse."""

    event = serializers.CharField()
    version = serializers.IntegerField(help_text="the highest wins, in every store")
    id = serializers.CharField(source="record.id", default=None, allow_null=True)
    type = serializers.CharField(source="record.type", default=None, allow_null=True)
    timestamp = TimeField(source="record.occurred_at_ms", default=None, allow_null=True)
    received_at = TimeField(source="record.received_at_ms", default=None, allow_null=True)
    sent_at = TimeField(source="record.sent_at_ms", default=None, allow_null=True)
    transport = serializers.CharField(source="record.transport", default=None, allow_null=True)


class ProjectedSerializer(serializers.Serializer[object]):
    """The event in the view."""

    generation = serializers.IntegerField(help_text="the one that is served")
    version = serializers.IntegerField(help_text="equal to the stored one when both are current")


class DeadLetterSerializer(serializers.Serializer[object]):
    """A refusal."""

    id = serializers.CharField()
    refused_at = serializers.DateTimeField()
    stage = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()
    field = serializers.CharField()
    request_id = serializers.CharField()


class TraceSerializer(serializers.Serializer[object]):
    """Where an event is; null means not seen yet."""

    key = serializers.CharField()
    stored = StoredSerializer(allow_null=True)
    projected = ProjectedSerializer(allow_null=True)
    dead_letters = DeadLetterSerializer(many=True)


_ANSWERS = {
    200: OpenApiResponse(TraceSerializer, "What each part knows of the event"),
    (400, "application/problem+json"): OpenApiResponse(
        {"$ref": "#/components/schemas/Problem"}, "A parameter is wrong, which `errors` names"
    ),
}


class TraceView(TokenView):
    """The trace of the event with a key."""

    required_scope = Scope.QUERY

    @extend_schema(
        operation_id="trace_event",
        summary="Where one event is: stored, projected, refused",
        tags=["events"],
        parameters=[
            OpenApiParameter(
                "key", OpenApiTypes.UUID, OpenApiParameter.PATH, description="as a send returned it"
            )
        ],
        responses=_ANSWERS,
    )
    def get(self, request: Request, key: str) -> Response:
        """Of the token's own project. Null: not seen yet."""
        project = project_seen_whole(request)
        try:
            parsed = parse_key(key)
        except ValueError as exc:
            raise wrong_parameter(
                "key", "a key has 36 characters, as in the answer to a send"
            ) from exc
        return _answer(project, parsed, event_id=None)


class TraceByIdView(TokenView):
    """The trace of the event with an id."""

    required_scope = Scope.QUERY

    @extend_schema(
        operation_id="trace_event_by_id",
        summary="Where the event with this id is",
        tags=["events"],
        parameters=[
            OpenApiParameter(
                "id", str, required=True, description="the event's id, as it was sent"
            ),
            OpenApiParameter(
                "timestamp",
                str,
                description="as it was sent: RFC 3339 or epoch ms; a UUIDv7 id needs none",
            ),
        ],
        responses=_ANSWERS,
    )
    def get(self, request: Request) -> Response:
        """Of the token's own project. Null: not seen yet."""
        project = project_seen_whole(request)
        event_id, time_ms = _parameters(request.query_params)
        return _answer(project, event_key(project, event_id, time_ms), event_id=event_id)


def _parameters(given: Mapping[str, str]) -> tuple[str, int]:
    event_id = given.get("id", "")
    if not 1 <= len(event_id) <= MAX_ID_CHARS or "\0" in event_id:
        raise wrong_parameter("id", f"id takes 1 to {MAX_ID_CHARS} characters, without NUL")
    text = given.get("timestamp")
    if text is None:
        time_ms = time_in_id(event_id)
        advice = "timestamp is missing: only an id that is a UUIDv7 says when its event occurred"
    else:
        time_ms = parse_time(int(text) if _EPOCH_MS.fullmatch(text) else text)
        advice = "timestamp takes RFC 3339 (with + written as %2B) or epoch milliseconds"
    if time_ms is None or not 0 <= time_ms <= LAST_KEY_MS:
        raise wrong_parameter("timestamp", advice)
    return event_id, time_ms


def _answer(project: str, key: EventKey, *, event_id: str | None) -> Response:
    with engines_answering():
        found = trace(
            project, key, event_id=event_id, events=get_event_store(), series=get_series_store()
        )
    return Response(TraceSerializer(found).data, headers={"Cache-Control": "no-store"})


urlpatterns: list[URLPattern] = [
    path("v1/events/<str:key>/trace", TraceView.as_view(), name="trace"),
    path("v1/trace", TraceByIdView.as_view(), name="trace-by-id"),
]

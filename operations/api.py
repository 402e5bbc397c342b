"""`/v1/lag` and `/v1/status`: how the pipeline stands, over all projects, for tokens with scope
operate."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from access.claims import Scope
from access.drf import TokenView
from operations.pipeline import look
from operations.serializers import LagSerializer, StatusSerializer
from operations.status import status

NOT_STORED = {"Cache-Control": "no-store"}


class LagView(TokenView):
    """Lag by group, topic and partition."""

    required_scope = Scope.OPERATE

    @extend_schema(
        operation_id="lag",
        summary="Lag by group, topic and partition, in records and seconds",
        tags=["operations"],
        responses={200: OpenApiResponse(LagSerializer, "Every partition of every group")},
    )
    def get(self, request: Request) -> Response:
        """The rows as of now."""
        return Response(LagSerializer(look()).data, headers=NOT_STORED)


class StatusView(TokenView):
    """The whole pipeline on one page."""

    required_scope = Scope.OPERATE

    @extend_schema(
        operation_id="status",
        summary="State, figures by stage, and the last half hour",
        tags=["operations"],
        responses={200: OpenApiResponse(StatusSerializer, "The pipeline as of now")},
    )
    def get(self, request: Request) -> Response:
        """The pipeline as of now."""
        return Response(StatusSerializer(status()).data, headers=NOT_STORED)

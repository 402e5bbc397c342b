"""Fields of Django REST framework that several contexts write alike."""

from datetime import UTC, datetime

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


@extend_schema_field(OpenApiTypes.DATETIME)
class TimeField(serializers.Field[int, None, str, int]):
    """Milliseconds since the epoch, written as RFC 3339."""

    def to_representation(self, value: int) -> str:
        """With milliseconds, UTC."""
        at = datetime.fromtimestamp(value / 1000, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

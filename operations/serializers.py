"""How the pipeline's standing is written as JSON, for the API, the admin's page and the command."""

from rest_framework import serializers

from access.drf_fields import TimeField
from operations.lag_states import LagState

STATES = [state.value for state in LagState]


class LagRowSerializer(serializers.Serializer[object]):
    """One group in one partition."""

    group = serializers.CharField()
    topic = serializers.CharField()
    partition = serializers.IntegerField()
    lane = serializers.ChoiceField(["live", "history"])
    committed = serializers.IntegerField(allow_null=True, help_text="the next offset to be read")
    end = serializers.IntegerField(allow_null=True, help_text="the offset of the next record")
    lag = serializers.IntegerField(allow_null=True, help_text="records")
    lag_seconds = serializers.FloatField(
        allow_null=True, help_text="how long the oldest unhandled record has waited"
    )
    drains_in_s = serializers.FloatField(
        allow_null=True, help_text="null while the lag is not shrinking"
    )
    state = serializers.ChoiceField(STATES)


class LagSerializer(serializers.Serializer[object]):
    """Every row, and the state that asks most for attention."""

    as_of = TimeField(source="as_of_ms")
    state = serializers.ChoiceField(STATES)
    # DRF takes over fields of any name; its stubs know only its own `data` and `label`.
    data = LagRowSerializer(source="rows", many=True)  # type: ignore[assignment]
    next_cursor = serializers.SerializerMethodField(help_text="null: every row is here")

    def get_next_cursor(self, view: object) -> str | None:
        """There is never a second page."""
        return None


class StageSerializer(serializers.Serializer[object]):
    """One stage of the pipeline."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    state = serializers.ChoiceField(STATES)
    per_minute = serializers.FloatField(allow_null=True, help_text="records, over the last minute")
    total = serializers.IntegerField(
        allow_null=True, help_text="records since the log began, duplicates and redeliveries too"
    )
    lag = serializers.IntegerField(allow_null=True, help_text="records")
    lag_seconds = serializers.FloatField(allow_null=True)
    drains_in_s = serializers.FloatField(allow_null=True)


class RatesSerializer(serializers.Serializer[object]):
    """Records a minute over time; null in a gap."""

    time = serializers.ListField(child=serializers.FloatField(), help_text="epoch ms")
    received = serializers.ListField(child=serializers.FloatField(allow_null=True))
    stored = serializers.ListField(child=serializers.FloatField(allow_null=True))
    projected = serializers.ListField(child=serializers.FloatField(allow_null=True))


class StatusSerializer(serializers.Serializer[object]):
    """The whole pipeline on one page."""

    as_of = TimeField(source="as_of_ms")
    state = serializers.ChoiceField(STATES)
    generation = serializers.IntegerField(help_text="of the view, the one that is served")
    stages = StageSerializer(many=True)
    per_minute = RatesSerializer()

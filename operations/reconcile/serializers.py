"""How a comparison is written as JSON, for the API and the command alike."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from access.drf_fields import TimeField
from feed.event import key_text
from replay.verification.comparison import Difference, Kind
from replay.verification.outcome import Verdict

STATES = [state.value for state in Verdict]


class EntrySerializer(serializers.Serializer[object]):
    """What one side holds under a key."""

    event = serializers.CharField()
    version = serializers.IntegerField(help_text="the highest wins, in every store")
    hash24 = serializers.IntegerField(help_text="of key and version, as the side has it")


class DifferenceSerializer(serializers.Serializer[Difference]):
    """A key that differs; null where a side holds nothing."""

    key = serializers.SerializerMethodField()
    kind = serializers.ChoiceField([kind.value for kind in Kind])
    warehouse = EntrySerializer(allow_null=True)
    view = EntrySerializer(allow_null=True)

    @extend_schema_field(serializers.UUIDField())
    def get_key(self, difference: Difference) -> str:
        """As a send returned it."""
        return key_text(difference.key)


class ReconciledCountsSerializer(serializers.Serializer[object]):
    """Counts of an hour, or of all."""

    warehouse = serializers.IntegerField(help_text="events, at the first look")
    view = serializers.IntegerField(help_text="documents, at the first look")
    missing = serializers.IntegerField(help_text="keys that the view lacks")
    changed = serializers.IntegerField(help_text="keys under which the two hold different things")
    extra = serializers.IntegerField(help_text="keys that the warehouse lacks")
    refused = serializers.IntegerField(
        help_text="keys whose events the view can never show: they are in the dead letters"
    )
    on_the_way = serializers.IntegerField(
        help_text="keys that differed and no longer did once sink and projector had come"
    )


class HourSerializer(serializers.Serializer[object]):
    """One hour; the first of its keys that differ."""

    hour = TimeField(source="hour_ms")
    state = serializers.ChoiceField(STATES)
    counts = ReconciledCountsSerializer()
    differences = DifferenceSerializer(many=True)


class SummarySerializer(serializers.Serializer[object]):
    """The comparison so far."""

    project = serializers.CharField(source="sides.project")
    generation = serializers.IntegerField(source="sides.generation", help_text="of the view")
    state = serializers.ChoiceField(STATES, source="summary.state")
    hours = serializers.IntegerField(source="summary.hour_count", help_text="that hold anything")
    counts = ReconciledCountsSerializer(source="summary.counts")
    lag = serializers.CharField(
        allow_null=True, help_text="who was behind, where that kept a difference from being told"
    )

"""How a replay is written as JSON, for the API, the commands and the admin's page alike."""

from rest_framework import serializers

from access.drf_fields import TimeField
from replay.domain import Mode, State, Throttle, Worker
from replay.models import Replay, ReplayLogEntry
from replay.previews import Preview
from replay.reports import Report

STATES = [state.value for state in State]
OF_ALL_TIMES = "null: of a rebuild, which is of all times"


class ShownSourceSerializer(serializers.Serializer[object]):
    """`from` and `to` are no names that Python takes."""

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """Both ends."""
        return {
            "from": TimeField(source="from_ms", allow_null=True, help_text=OF_ALL_TIMES),
            "to": TimeField(source="to_ms", allow_null=True, help_text=OF_ALL_TIMES),
        }

    def to_representation(self, instance: object) -> dict[str, object]:
        """A rebuild is of no range."""
        if isinstance(instance, Replay) and instance.mode == Mode.NEW_GENERATION.value:
            return {"from": None, "to": None}
        return dict(super().to_representation(instance))


class ShownFilterSerializer(serializers.Serializer[object]):
    """Which events of the range; none for all."""

    events = serializers.ListField(child=serializers.CharField())


class ShownTargetSerializer(serializers.Serializer[object]):
    """What is written."""

    mode = serializers.ChoiceField([mode.value for mode in Mode])
    generation = serializers.IntegerField(allow_null=True, help_text="null in place")


class ShownRateSerializer(serializers.Serializer[object]):
    """At most so fast."""

    max_eps = serializers.IntegerField(allow_null=True, help_text="null: no limit")
    auto = serializers.BooleanField(help_text="slower while live events wait")


class ReplayProgressSerializer(serializers.Serializer[object]):
    """How far it is, in events."""

    estimated = serializers.IntegerField(
        source="row.estimated", allow_null=True, help_text="counted before; null: not yet"
    )
    read = serializers.IntegerField(source="row.read", help_text="out of the warehouse")
    emitted = serializers.IntegerField(source="row.emitted", help_text="acknowledged by the feed")
    projected = serializers.IntegerField(
        source="row.projected", help_text="the projector is past; about, until completed"
    )
    suppressed = serializers.IntegerField(
        source="row.suppressed", help_text="left out, since they were erased"
    )
    dead_lettered = serializers.IntegerField(help_text="refused by the view, for good")
    eps = serializers.FloatField(source="row.eps", help_text="emitted a second, moving average")
    eta = TimeField(source="eta_ms", allow_null=True, help_text="when the last one is emitted")
    throttled_by = serializers.SerializerMethodField(help_text="null: by nothing")

    def get_throttled_by(self, found: Report) -> str | None:
        """One of the words of Throttle."""
        return Throttle(found.row.throttled_by).value if found.row.throttled_by else None


class ReplayErrorSerializer(serializers.Serializer[object]):
    """Why it failed, or what is not known of a cancelled one."""

    code = serializers.CharField(source="error_code")
    detail = serializers.CharField(source="error_detail")


class ReplaySerializer(serializers.Serializer[object]):
    """A replay."""

    id = serializers.CharField(source="row.id")
    project = serializers.CharField(
        source="row.project", allow_blank=True, help_text="empty: of a rebuild, which is of all"
    )
    state = serializers.ChoiceField(STATES, source="row.state")
    worker = serializers.ChoiceField(
        [worker.value for worker in Worker],
        allow_null=True,
        help_text="lost: it died, another goes on; null: none is needed, or none has come yet",
    )
    source = ShownSourceSerializer(source="row")  # type: ignore[assignment]  # DRF takes any name
    filter = ShownFilterSerializer(source="row")
    target = ShownTargetSerializer(source="row")
    rate = ShownRateSerializer(source="row")
    reason = serializers.CharField(source="row.reason")
    requested_by = serializers.CharField(source="row.requested_by")
    created_at = TimeField(source="row.created_at_ms")
    started_at = TimeField(source="row.started_at_ms", allow_null=True)
    finished_at = TimeField(source="row.finished_at_ms", allow_null=True)
    estimated_bytes = serializers.IntegerField(source="row.estimated_bytes", allow_null=True)
    first = TimeField(source="row.first_ms", allow_null=True)
    last = TimeField(source="row.last_ms", allow_null=True)
    progress = ReplayProgressSerializer(source="*")
    error = serializers.SerializerMethodField()

    def get_error(self, found: Report) -> dict[str, str] | None:
        """Of a failed one; of a cancelled one `emitted_at_least`."""
        return dict(ReplayErrorSerializer(found.row).data) if found.row.error_code else None


class LogEntrySerializer(serializers.ModelSerializer[ReplayLogEntry]):
    """Who did what."""

    at = TimeField(source="at_ms")

    class Meta:
        model = ReplayLogEntry
        fields = ("at", "actor", "via", "action", "from_state", "to_state", "detail")


class ReplayListSerializer(serializers.Serializer[object]):
    """A page of them, newest first."""

    data = ReplaySerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class ReplayHourSerializer(serializers.Serializer[object]):
    """Events of one hour and name."""

    hour = TimeField(source="hour_ms")
    event = serializers.CharField()
    count = serializers.IntegerField()


class ReplayPreviewSerializer(serializers.Serializer[object]):
    """What a replay would do."""

    whole = serializers.BooleanField(
        source="is_whole", help_text="false: counting took longer than 5 s, this is what was known"
    )
    estimated = serializers.IntegerField(source="estimate.count")
    bytes = serializers.SerializerMethodField(help_text="from a sample; null: not known")
    first = TimeField(source="estimate.first_ms", allow_null=True)
    last = TimeField(source="estimate.last_ms", allow_null=True)
    duration_s = serializers.FloatField(allow_null=True, help_text="at the rate asked for")
    hours = ReplayHourSerializer(source="estimate.hours", many=True)
    overlaps = serializers.ListField(child=serializers.CharField(), help_text="replays in force")
    effect = serializers.CharField()

    def get_bytes(self, found: Preview) -> int | None:
        """A sample is taken of what is counted to the end."""
        return found.estimate.size_bytes if found.is_whole else None


def preview_as_json(found: Preview) -> dict[str, object]:
    """The document of a dry run."""
    return dict(ReplayPreviewSerializer(found).data)


def replay_as_json(found: Report) -> dict[str, object]:
    """The document of a replay."""
    return dict(ReplaySerializer(found).data)

"""How generations of the view, and what they show differently, are written as JSON."""

from dataclasses import dataclass

from rest_framework import serializers

from access.drf_fields import TimeField
from replay.generation_diff import Cell, Diff, DiffPage, write_place
from replay.rebuilds import Built
from replay.reports import Report, report
from replay.serializers import ReplaySerializer
from replay.services import CLOCK
from timeseries.lifecycle import GenerationRow

GENERATION_STATES = ["building", "ready", "dropped"]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is written."""

    row: GenerationRow
    rebuild: Report | None


class GenerationSerializer(serializers.Serializer[object]):
    """A generation of the view."""

    generation = serializers.IntegerField(source="row.number")
    state = serializers.ChoiceField(
        GENERATION_STATES, source="row.state", help_text="ready: verified, may be served"
    )
    served = serializers.BooleanField(source="row.is_served", help_text="queries read it")
    previous = serializers.BooleanField(
        source="row.is_previous", help_text="a rollback goes back to it"
    )
    made_at = serializers.DateTimeField(source="row.made_at")
    freed_at = serializers.DateTimeField(
        source="row.freed_at", allow_null=True, help_text="when all of a dropped one was gone"
    )
    rebuild = ReplaySerializer(
        allow_null=True, help_text="the replay that builds it; null of the first generation"
    )


class GenerationListSerializer(serializers.Serializer[object]):
    """A page of them, newest first."""

    # DRF takes over fields of any name; its stubs know only its own `data`.
    data = GenerationSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class DifferingCellSerializer(serializers.Serializer[Cell]):
    """Events of one hour and name that the two generations count, or show, differently."""

    project = serializers.CharField()
    hour = TimeField(source="hour_ms")
    event = serializers.CharField()
    served = serializers.IntegerField(help_text="documents in the one that is served")
    generation = serializers.IntegerField(
        help_text="documents in this one; as many: their contents differ"
    )


class GenerationDiffSerializer(serializers.Serializer[object]):
    """A page of what differs, ascending by project, hour and event."""

    generation = serializers.IntegerField()
    served = serializers.IntegerField(help_text="the generation that it is compared with")
    data = DifferingCellSerializer(many=True)  # type: ignore[assignment]  # as above
    next_cursor = serializers.CharField(
        allow_null=True, help_text="null: that was all; a page may have no difference, and a next"
    )


def generation_as_json(built: Built) -> dict[str, object]:
    """The document of a generation."""
    rebuild = None if built.rebuild is None else report(built.rebuild, now_ms=CLOCK.now_ms())
    return dict(GenerationSerializer(_Shown(built.row, rebuild)).data)


def diff_as_json(diff: Diff, page: DiffPage) -> dict[str, object]:
    """A page of a diff."""
    return {
        "generation": diff.generation,
        "served": diff.served,
        "data": [dict(DifferingCellSerializer(cell).data) for cell in page.cells],
        "next_cursor": None if page.after is None else write_place(page.after),
    }

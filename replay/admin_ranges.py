"""The part of a form that says whose events, and of when."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from access.models import Project
from replay.domain import Span

CUSTOM = "custom"
_HOURS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}
RANGES = (
    ("1h", "the last hour"),
    ("24h", "the last 24 hours"),
    ("7d", "the last 7 days"),
    ("30d", "the last 30 days"),
    ("today", "today, UTC"),
    ("yesterday", "yesterday, UTC"),
    (CUSTOM, "from … to …"),
)


class UtcField(forms.DateTimeField):
    """A time in UTC, in whole seconds."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})

    def to_python(self, value: Any) -> datetime | None:  # Any: Django's own type
        """Aware. Raises ValidationError."""
        at = super().to_python(value)
        try:
            return None if at is None else at.astimezone(UTC).replace(microsecond=0)
        except OverflowError as exc:  # an offset beyond the first or the last day there is
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from exc


class RangeForm(forms.Form):
    """A project, and a range by its name or by two times."""

    project = forms.ChoiceField()
    range = forms.ChoiceField(choices=RANGES, initial="24h")
    from_at = UtcField(label="From, UTC", required=False)
    to_at = UtcField(label="To, UTC", required=False, help_text="Not included itself.")

    def __init__(
        self, data: QueryDict | None = None, *, now_ms: int, **kwargs: Any
    ) -> None:  # Any: Django's own types
        super().__init__(data, **kwargs)
        self.now_ms = now_ms
        names = Project.objects.values_list("name", flat=True)
        self.fields["project"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:  # Any: Django's own types
        """The range as two times."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            self._fix_range(cleaned)
        return cleaned

    def span(self) -> Span:
        """Of a valid form."""
        return Span(ms_of(self.cleaned_data["from_at"]), ms_of(self.cleaned_data["to_at"]))

    def fixed_data(self) -> QueryDict:
        """What is filled in, with the range in two times, which no later moment changes."""
        data = QueryDict(mutable=True)
        for name, value in self.cleaned_data.items():
            match value:
                case datetime():
                    data[name] = value.strftime("%Y-%m-%dT%H:%M:%S")
                case list():
                    data.setlist(name, value)
                case None | False:
                    continue
                case _:
                    data[name] = str(value)
        data["range"] = CUSTOM
        return data

    def _fix_range(self, cleaned: dict[str, Any]) -> None:  # Any: Django's own types
        if cleaned["range"] != CUSTOM:
            cleaned["from_at"], cleaned["to_at"] = preset(cleaned["range"], now_ms=self.now_ms)
            return
        for name in ("from_at", "to_at"):
            if cleaned.get(name) is None:
                self.add_error(name, "A time is needed here, such as 2026-11-01 12:00, UTC.")
        if self.errors:
            return
        if cleaned["to_at"] < cleaned["from_at"]:
            self.add_error("to_at", "This lies before the start.")
        elif ms_of(cleaned["to_at"]) > self.now_ms:
            self.add_error("to_at", "This lies in the future. Mind that times are in UTC here.")
        elif ms_of(cleaned["from_at"]) < 0:
            self.add_error("from_at", "No event occurred before 1970.")


def preset(name: str, *, now_ms: int) -> tuple[datetime, datetime]:
    """Start and end of a range by name, UTC, in whole seconds."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    today = now.replace(hour=0, minute=0, second=0)
    match name:
        case "today":
            return today, now
        case "yesterday":
            return today - timedelta(days=1), today
        case _:
            return now - timedelta(hours=_HOURS[name]), now


def ms_of(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(at.timestamp() * 1000)

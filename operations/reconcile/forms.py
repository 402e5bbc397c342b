"""Forms of the page Reconcile: which hours it asks for next, and the gap that is to be replayed."""

from typing import Any
from uuid import uuid4

import msgspec
from django import forms

from access.models import Project
from feed.event import LAST_KEY_MS
from operations.reconcile.gap import bounded
from replay.admin_ranges import RangeForm
from replay.domain import MAX_REASON_CHARS, Span

NOT_COMPARED = "What differs is not known: compare first."
_decoder = msgspec.json.Decoder(list[tuple[int, int]])


class ComparedForm(RangeForm):
    """What is to be compared."""

    def clean(self) -> dict[str, Any]:  # Any: Django's own types
        """A range with something in it."""
        cleaned = super().clean()
        if not self.errors and cleaned["from_at"] == cleaned["to_at"]:
            self.add_error("to_at", "Nothing lies between the start and this.")
        return cleaned


class PageForm(forms.Form):
    """Of whom, and the rest of the range, in milliseconds."""

    project = forms.SlugField()
    from_ms = forms.IntegerField(min_value=0, max_value=LAST_KEY_MS)
    to_ms = forms.IntegerField(min_value=0, max_value=LAST_KEY_MS)

    def clean(self) -> dict[str, Any]:  # Any: Django's own types
        """Raises ValidationError for no range of a project."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and cleaned["from_ms"] >= cleaned["to_ms"]:
            raise forms.ValidationError("the range is empty")
        if not Project.objects.filter(name=cleaned.get("project")).exists():
            raise forms.ValidationError("there is no such project")
        return cleaned

    def span(self) -> Span:
        """Of a valid form."""
        return Span(self.cleaned_data["from_ms"], self.cleaned_data["to_ms"])


class GapField(forms.CharField):
    """`[[from_ms, to_ms], …]` as the page collected them; a tuple of Span, ascending, none of which
    touches another."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> Any:  # Any: Django's own types
        """Raises ValidationError."""
        try:
            found = [Span(*pair) for pair in _decoder.decode(super().clean(value))]
        except msgspec.DecodeError as exc:
            raise forms.ValidationError(NOT_COMPARED, code="invalid") from exc
        if not found or not all(0 <= span.from_ms < span.to_ms <= LAST_KEY_MS for span in found):
            raise forms.ValidationError(NOT_COMPARED, code="invalid")
        return tuple(bounded(found))


class GapForm(forms.Form):
    """What is to be replayed, and why."""

    gap = GapField(error_messages={"required": NOT_COMPARED})
    reason = forms.CharField(
        max_length=MAX_REASON_CHARS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept in the replay's log for whoever asks later.",
    )
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

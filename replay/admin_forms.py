"""Forms of the admin pages of replays: what somebody wants replayed, why, and how fast. They check
what the service would refuse, so that a refusal stands beside its field."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from django import forms
from django.http import QueryDict

from replay import orders, previews
from replay.admin_ranges import RangeForm
from replay.domain import (
    DEFAULT_MAX_EPS,
    MAX_EPS,
    MAX_REASON_CHARS,
    Rate,
    Source,
)
from replay.errors import InvalidReplay
from warehouse.ports import HourCount

TYPED_ABOVE = 1_000_000
"""Whoever asks for more events than this types their count."""
MAX_LISTED_NAMES = 200
MAX_NAME_CHARS = 200
_FIELD_OF = {
    "source.from": "from_at",
    "source.to": "to_at",
    "filter.events": "events",
    "rate.max_eps": "max_eps",
}


class NamesField(forms.MultipleChoiceField):
    """Names of events; those that may be ticked are known once the range is counted."""

    widget = forms.CheckboxSelectMultiple

    def valid_value(self, value: Any) -> bool:  # Any: Django's own type
        """Any name that an event may have: one that the warehouse lacks counts 0."""
        return 1 <= len(str(value)) <= MAX_NAME_CHARS and "\0" not in str(value)


class RateForm(forms.Form):
    """How fast."""

    max_eps = forms.IntegerField(
        label="Events a second, at most",
        required=False,
        min_value=1,
        max_value=MAX_EPS,
        initial=DEFAULT_MAX_EPS,
        help_text="Empty: as fast as it goes.",
    )
    auto = forms.BooleanField(label="Slower while live events wait", required=False, initial=True)

    def rate(self) -> Rate:
        """What was asked for."""
        return Rate(self.cleaned_data["max_eps"], self.cleaned_data["auto"])


class OrderForm(RangeForm, RateForm):
    """Which events, and how fast."""

    events = NamesField(required=False)
    field_order = ("project", "range", "from_at", "to_at", "max_eps", "auto", "events")

    def clean(self) -> dict[str, Any]:  # Any: Django's own types
        """All that the service would refuse."""
        cleaned = super().clean()
        if not self.errors:
            self._check(self.order())
        return cleaned

    def _check(self, order: orders.Order) -> None:
        try:
            orders.check(order, now_ms=self.now_ms)
        except InvalidReplay as exc:
            self.add_error(_FIELD_OF.get(exc.field), str(exc))

    def order(self, *, reason: str = "", idempotency_key: str | None = None) -> orders.Order:
        """What a valid form asks for."""
        cleaned = self.cleaned_data
        source = Source(cleaned["project"], (self.span(),), tuple(cleaned["events"]))
        return orders.Order(source, self.rate(), reason, idempotency_key=idempotency_key)

    def fixed(self, counts: Sequence[HourCount] = ()) -> "OrderForm":
        """The same with its range in two times, which no later moment changes, and the names that
        were counted to tick."""
        made = OrderForm(self.fixed_data(), now_ms=self.now_ms)
        made.fields["events"].choices = names_to_tick(  # type: ignore[attr-defined]
            counts, self.cleaned_data["events"]
        )
        return made


class RebuildForm(RateForm):
    """Why the view is built anew, and how fast."""

    reason = forms.CharField(
        max_length=MAX_REASON_CHARS,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept in the rebuild's log for whoever asks later.",
    )
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    field_order = ("reason", "max_eps", "auto", "key")

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, initial={"max_eps": None})


class Typed(NamedTuple):
    """What must be typed, what its field is called, and what is said of anything else."""

    text: str
    label: str
    refusal: str


class ConfirmForm(forms.Form):
    """Why; and, of many events, how many they are; of a number that is not known, whose."""

    reason = forms.CharField(
        max_length=MAX_REASON_CHARS,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept in the replay's log for whoever asks later.",
    )
    typed = forms.CharField(required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, typed: Typed | None, **kwargs: Any
    ) -> None:  # Any: Django's own types
        """`typed`: what must be typed; None for nothing."""
        super().__init__(data, **kwargs)
        self.expected = typed
        if typed is None:
            del self.fields["typed"]
        else:
            self.fields["typed"].label = typed.label

    def clean_typed(self) -> str:
        """Raises ValidationError for anything else."""
        typed = str(self.cleaned_data["typed"])
        if self.expected and _bare(typed) != _bare(self.expected.text):
            raise forms.ValidationError(self.expected.refusal)
        return typed


def typed_for(found: previews.Preview, project: str) -> Typed | None:
    """What is typed for many events, or for who knows how many; None for few."""
    if not found.is_whole:
        return Typed(
            project,
            "Type the project's name, since it is not known how many events these are",
            f"Type {project}: all of its events in this range are replayed.",
        )
    count = f"{found.estimate.count:,}"
    if found.estimate.count <= TYPED_ABOVE:
        return None
    return Typed(count, "Type the number of events", f"Type {count}: that many are replayed.")


def _bare(typed: str) -> str:
    """Digits may be grouped as one likes."""
    return "".join(char for char in typed if char not in ", _.'\u00a0")


def names_to_tick(counts: Iterable[HourCount], ticked: Sequence[str]) -> list[tuple[str, str]]:
    """Names with their counts, the most frequent first; what is ticked is always there."""
    totals: dict[str, int] = dict.fromkeys(ticked, 0)
    for found in counts:
        totals[found.event] = totals.get(found.event, 0) + found.count
    ranked = sorted(totals, key=lambda name: (name not in ticked, -totals[name], name))
    return [(name, f"{name} ({totals[name]:,})") for name in ranked[:MAX_LISTED_NAMES]]

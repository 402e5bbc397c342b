"""What came of a comparison: of one hour, and of all together. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from replay.verification.comparison import Difference, Kind


class Verdict(StrEnum):
    """Least urgent first. SAME: nothing differs but what was on its way or is refused. LAGGING:
    figures differ, and it is not known whether that is more than lag, as a group did not come in
    time."""

    SAME = "same"
    LAGGING = "lagging"
    DIFFERENT = "different"


def worst(one: Verdict, other: Verdict) -> Verdict:
    """What is to be said of both together."""
    return max(one, other, key=list(Verdict).index)


@dataclass(slots=True)
class Counts:
    """Events in the warehouse and documents in the view when they were first looked at; of the
    keys that differ those missing in the view, changed in it, and extra in it; keys whose events
    the view can never show, which are none of these; and keys that differed at a first look and no
    longer at the second."""

    warehouse: int = 0
    view: int = 0
    missing: int = 0
    changed: int = 0
    extra: int = 0
    refused: int = 0
    on_the_way: int = 0

    def add(self, other: "Counts") -> None:
        """Count another's in."""
        self.warehouse += other.warehouse
        self.view += other.view
        self.missing += other.missing
        self.changed += other.changed
        self.extra += other.extra
        self.refused += other.refused
        self.on_the_way += other.on_the_way


@dataclass(slots=True)
class Hour:
    """One hour; `differences` are the first of its keys that differ, ascending."""

    hour_ms: int
    counts: Counts
    state: Verdict = Verdict.SAME
    differences: list[Difference] = field(default_factory=list)

    def add(
        self, found: Sequence[Difference], *, refused: int, looked_at: int, most_kept: int
    ) -> None:
        """What a second look at so many keys found, beside so many that the view refuses."""
        kinds = [difference.kind for difference in found]
        self.counts.missing += kinds.count(Kind.MISSING)
        self.counts.changed += kinds.count(Kind.CHANGED)
        self.counts.extra += kinds.count(Kind.EXTRA)
        self.counts.refused += refused
        self.counts.on_the_way += looked_at - len(found) - refused
        self.differences += found[: most_kept - len(self.differences)]
        if found:
            self.state = Verdict.DIFFERENT

    def add_lag(self) -> None:
        """The rest of it could not be told apart from lag."""
        self.state = worst(self.state, Verdict.LAGGING)


@dataclass(slots=True)
class Summary:
    """The hours so far, together."""

    state: Verdict = Verdict.SAME
    hour_count: int = 0
    counts: Counts = field(default_factory=Counts)

    def add(self, hour: Hour) -> None:
        """Count an hour in."""
        self.state = worst(self.state, hour.state)
        self.hour_count += 1
        self.counts.add(hour.counts)

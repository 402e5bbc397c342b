"""How much of a replay is projected: pure, from what the feed acknowledged and what the history
group has committed.

A mark says: the first `emitted` events lie before these positions. Once the group has passed them
all, so many events are projected. Nothing is counted by the projector, so that nothing a redelivery
brings again is counted again.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

MAX_MARKS = 32
"""More are thinned out, where they are densest: a mark says what those before it say, a little
later. So nobody waits long for the next one, however many events are on their way."""


class Mark(NamedTuple):
    """`positions` by partition of topic history: the next offset after the last of the events."""

    emitted: int
    positions: Mapping[int, int]


class Standing(NamedTuple):
    """Events projected, and the marks that the group has not passed, oldest first."""

    projected: int
    pending: tuple[Mark, ...]


def standing(
    marks: Sequence[Mark], committed: Mapping[int, int], *, projected: int = 0
) -> Standing:
    """What `committed`, the group's positions, say of marks in ascending order."""
    for index, mark in enumerate(marks):
        if not _is_passed(mark, committed):
            return Standing(projected, tuple(marks[index:]))
        projected = max(projected, mark.emitted)
    return Standing(projected, ())


def _is_passed(mark: Mark, committed: Mapping[int, int]) -> bool:
    return all(
        committed.get(partition, 0) >= position for partition, position in mark.positions.items()
    )


def appended(marks: Sequence[Mark], mark: Mark) -> tuple[Mark, ...]:
    """The marks and one more; once they are many, the one that is missed least is left out."""
    kept = [*marks, mark]
    if len(kept) > MAX_MARKS:
        inner = range(1, len(kept) - 1)
        del kept[min(inner, key=lambda place: kept[place + 1].emitted - kept[place - 1].emitted)]
    return tuple(kept)


def as_json(marks: Sequence[Mark]) -> list[list[object]]:
    """As a row keeps them."""
    return [
        [mark.emitted, sorted((part, position) for part, position in mark.positions.items())]
        for mark in marks
    ]


def from_json(kept: Sequence[Sequence[object]]) -> tuple[Mark, ...]:
    """The marks of a row."""
    return tuple(Mark(emitted, dict(positions)) for emitted, positions in kept)  # type: ignore[call-overload,arg-type]  # as_json wrote them

"""How much of a replay is projected: pure, from what the feed acknowledged and what the history
group has committed.

A mark says: the first `emitted` events lie before these positions. Once the group has passed them
all, so many events are projected. Nothing is counted by the projector, so that nothing a redelivery
brings again is counted again.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

MAX_MARKS = 32
"""More are thinned out: a mark says what those before it say, a little later."""


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
    """The marks and one more; every second of the older ones is left out once they are many."""
    kept = tuple(marks)
    if len(kept) >= MAX_MARKS:
        kept = kept[1::2]
    return (*kept, mark)


def as_json(marks: Sequence[Mark]) -> list[list[object]]:
    """As a row keeps them."""
    return [
        [mark.emitted, sorted((part, position) for part, position in mark.positions.items())]
        for mark in marks
    ]


def from_json(kept: Sequence[Sequence[object]]) -> tuple[Mark, ...]:
    """The marks of a row."""
    return tuple(Mark(emitted, dict(positions)) for emitted, positions in kept)  # type: ignore[call-overload,arg-type]  # as_json wrote them

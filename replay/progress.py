"""How much of a replay is projected: pure, from what the feed acknowledged and what the history
group has committed.

A mark says: the first `emitted` events lie before these positions. Once the group has passed them
all, so many events are projected. Nothing is counted by the projector, so that nothing a redelivery
brings again is counted again. Between two marks the figure is an estimate, which may be too high;
that everything is projected is said of the last mark alone, and is so.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

MAX_MARKS = 32
"""More are thinned out, where they are densest: a mark says what those before it say, a little
later. So nobody waits long for the next one, however many events are on their way."""


class Mark(NamedTuple):
    """`positions` by partition of topic history: the next offset after the last of the events."""

    emitted: int
    positions: Mapping[int, int]


class Standing(NamedTuple):
    """Events projected, and the marks that tell of the rest, oldest first: none once the group has
    passed them all, else the last one that it has passed, if any, and those that it has not."""

    projected: int
    marks: tuple[Mark, ...]


def standing(
    marks: Sequence[Mark], committed: Mapping[int, int], *, projected: int = 0
) -> Standing:
    """What `committed`, the group's positions, say of marks in ascending order; never less than
    `projected`, what was said before.

    Never less than the last mark that is passed says, and all only when all are. Between two it
    goes by how much of what lies between their positions is passed: a consumer takes much of one
    partition before it comes to the next, so that no mark is passed for seconds while the group
    gets on well. Before the first mark of all, nothing is known of where its records begin.
    """
    passed = 0
    while passed < len(marks) and _is_passed(marks[passed], committed):
        passed += 1
    seen = marks[passed - 1].emitted if passed else 0
    if passed == len(marks):
        return Standing(max(projected, seen), ())
    telling = tuple(marks[max(0, passed - 1) :])
    seen += sum(_share(before, after, committed) for before, after in pairwise(telling))
    return Standing(max(projected, seen), telling)


def _share(before: Mark, after: Mark, committed: Mapping[int, int]) -> int:
    """How many of the events between two marks the group has passed, taking all records between
    them for as many events each."""
    records = passed = 0
    for partition, end in after.positions.items():
        # Where the events of a partition begin that the first of the two had none in is not known,
        # and its offset 0 may lie millions of records before: they are taken for one record.
        begin = before.positions.get(partition, end - 1)
        records += end - begin
        passed += min(max(committed.get(partition, 0) - begin, 0), end - begin)
    return (after.emitted - before.emitted) * passed // records if records else 0


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

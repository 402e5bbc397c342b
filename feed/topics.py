"""Every topic and consumer group by name, and who must have read a topic before it may be
trimmed."""

from enum import StrEnum


class Topic(StrEnum):
    """The four topics of Weir."""

    EVENTS = "events"
    HISTORY = "history"
    CHANGES = "changes"
    DEAD_LETTERS = "dead-letters"


class Group(StrEnum):
    """The consumer groups; positions are committed under these names."""

    SINK = "warehouse-sink"
    PROJECTOR = "projector"
    PROJECTOR_HISTORY = "projector-history"
    DEAD_LETTER_KEEPER = "dead-letter-keeper"


CONSTANT_READERS: dict[Topic, tuple[Group, ...]] = {
    Topic.EVENTS: (Group.SINK, Group.PROJECTOR),
    Topic.HISTORY: (Group.PROJECTOR_HISTORY,),
    Topic.DEAD_LETTERS: (Group.DEAD_LETTER_KEEPER,),
    Topic.CHANGES: (),
}
"""Nothing that one of these has not passed is ever deleted; `changes` goes by age alone."""

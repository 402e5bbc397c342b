"""What can go wrong with the engines of this machine, each as one sentence for its user."""


class EnginesError(Exception):
    """Something about the engines did not work; the message says what mends it."""


class MissingTool(EnginesError):
    """A JDK or Maven is missing on this machine; the message says which, and how to get it."""


class EngineDied(EnginesError):
    """A server ended instead of answering; the message holds its last words."""


class NotAnswering(EnginesError):
    """A server lives and does not answer within the limit."""


class EnginesUnknown(EnginesError):
    """Whether the engines run cannot be told from here."""

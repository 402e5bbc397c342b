"""What can go wrong with the feed: refuse (the caller's fault), later (try again), stop (an
operator must look)."""


class FeedError(Exception):
    """The feed failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class Backpressure(FeedError):
    """Not now: nothing was taken, offer the whole of it again after `retry_after_s`."""

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class FeedFull(Backpressure):
    """The feed's buffer is full."""


class FeedUnavailable(Backpressure):
    """The feed cannot be reached."""


class RecordTooLarge(FeedError):
    """A record is larger than the feed takes."""


class UndecodableRecord(FeedError):
    """The record can never be decoded: it is poison and goes to the dead letters."""


class UnknownSchema(FeedError):
    """The record's schema is unknown to this process: upgrade readers before writers."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__(
            f"schema {fingerprint} is unknown here: a newer Weir wrote this record; "
            "upgrade this reader, then start it again"
        )
        self.fingerprint = fingerprint


class DataLoss(FeedError):
    """A position lies outside the log: retention deleted records unread, or the log itself was
    lost."""

    def __init__(
        self,
        *,
        group: str,
        topic: str,
        partition: int,
        position: int | None,
        start: int,
        end: int | None = None,
    ) -> None:
        held = "no position" if position is None else f"position {position}"
        edge = f"starts at {start}"
        if position is not None and end is not None and position > end:
            edge = f"ends at {end}"
        super().__init__(
            f"DATA LOSS: group {group} has {held} in {topic}[{partition}], whose log {edge}; "
            f"decide with: manage.py feed_offsets --group {group} --to earliest"
        )
        self.group, self.topic, self.partition = group, topic, partition
        self.position, self.start = position, start


class Fenced(FeedError):
    """Another member owns the partition now: drop what is in hand, commit nothing, poll again."""


class GroupActive(FeedError):
    """The group has active members: stop them before its positions are set by hand."""


class WrongOption(FeedError, ValueError):
    """An option of the feed's URL is unknown or has a wrong value."""


class UnsafeTopic(FeedError):
    """An existing topic would lose data as it is configured."""


class TooManyDeadLetters(FeedError):
    """Too many records in a row are poison: the line stops, rather than drain a topic into the
    dead letters."""

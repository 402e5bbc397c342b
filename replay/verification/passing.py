"""Whether sink and projector have handled all that the feed held at a moment."""

from collections.abc import Callable

from feed.group_wait import GroupsBehind, Waiting, wait_for_groups
from feed.ports import Feed
from feed.topics import Group

GROUPS = (Group.SINK, Group.PROJECTOR)


class Passing:
    """Waits for both groups, up to a limit each time, until they fail to come: from then on it
    does not wait again, and `lag` says in a sentence who is behind."""

    def __init__(
        self, feed: Feed, *, wait_s: float, tell: Callable[[Group, int], None] = lambda *_: None
    ) -> None:
        self._feed, self._waiting = feed, Waiting(wait_s, tell)
        self.lag: str | None = None

    def have_passed(self) -> bool:
        """True once both have passed the feed's ends as of the call. Raises FeedUnavailable."""
        if self.lag is None:
            try:
                wait_for_groups(self._feed, GROUPS, self._waiting)
            except GroupsBehind as exc:
                self.lag = str(exc)
        return self.lag is None

"""What `dev` asks the feed while it starts: whether the workers read, and whether they are
through."""

from feed.backends import get_feed
from feed.errors import FeedError
from feed.leftovers import unread_by_group
from feed.topics import Group


def workers_read() -> bool:
    """Whether sink and projector have joined their groups."""
    try:
        return all(get_feed().has_members(group) for group in (Group.SINK, Group.PROJECTOR))
    except FeedError:
        return False


def is_drained() -> bool:
    """Whether every record has been handled by everyone who must."""
    try:
        return not unread_by_group(get_feed())
    except FeedError:
        return False

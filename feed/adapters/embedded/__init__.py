"""The Feed port on local SQLite files, for one machine: several processes at once, safe against
kill -9.

Below `data_dir/feed/`: one file a topic, `groups.sqlite` for members and positions, and a lock file
a member.
"""

from feed.adapters.embedded.feed import EmbeddedFeed, open_feed

__all__ = ["EmbeddedFeed", "open_feed"]

"""Guards a change of engines: an embedded feed that still holds unread events must be drained
first."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from feed.errors import FeedError
from feed.ports import Feed
from feed.topics import CONSTANT_READERS

EMBEDDED = "feed.adapters.embedded.open_feed"


class UnreadLeftovers(SystemExit):
    """The start is refused, with one sentence."""


def refuse_unread_leftovers() -> None:
    """Raises UnreadLeftovers when the settings name another feed while the embedded one of this
    data folder holds records that its readers have not passed: switching would lose sight of
    them."""
    entry: Mapping[str, Any] = settings.FEED
    folder = settings.DATA_DIR / "feed"
    if entry["BACKEND"] == EMBEDDED or not folder.is_dir():
        return
    feed: Feed = import_string(EMBEDDED)("embedded:", {}, settings.DATA_DIR)
    try:
        unread = unread_by_group(feed)
    except FeedError as exc:
        raise UnreadLeftovers(
            f"weir: WEIR_FEED_URL has changed, and the embedded feed in {folder} cannot be read to "
            f"see whether it still holds unread events: {exc}"
        ) from exc
    finally:
        feed.close()
    if unread:
        held = ", ".join(f"{count} for {group}" for group, count in unread.items())
        raise UnreadLeftovers(
            f"weir: WEIR_FEED_URL has changed, but the embedded feed in {folder} still holds "
            f"unread records ({held}): set WEIR_FEED_URL=embedded: and let serve, "
            "run_warehouse_sink and run_projector run until pipeline_status shows no lag"
        )


def unread_by_group(feed: Feed) -> dict[str, int]:
    """Records that each constant reader has not passed; readers that passed everything are
    absent."""
    unread: dict[str, int] = {}
    for topic, groups in CONSTANT_READERS.items():
        bounds = feed.bounds(topic) if groups else {}
        for group in groups:
            committed = feed.committed(group, topic)
            count = sum(
                bound.end - (committed[partition].position if partition in committed else 0)
                for partition, bound in bounds.items()
            )
            if count > 0:
                unread[group] = unread.get(group, 0) + count
    return unread

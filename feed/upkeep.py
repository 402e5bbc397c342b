"""Applies the feed's retention now and then, from every worker: whichever runs does it for all."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from feed.errors import FeedError
from feed.ports import Feed

TRIM_EVERY_S = 60.0
STOP_S = 2.0
"""How long the end waits for a trim under way; closing the feed ends it in any case."""

logger = logging.getLogger(__name__)


@contextmanager
def trimming(feed: Feed, *, every_s: float = TRIM_EVERY_S) -> Iterator[None]:
    """Trim `feed` from a thread of its own while inside; what fails is logged and tried again."""
    stopped = threading.Event()

    def trim_until_stopped() -> None:
        while not stopped.wait(every_s):
            _trim(feed)

    thread = threading.Thread(target=trim_until_stopped, name="feed-trim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(STOP_S)


def _trim(feed: Feed) -> None:
    try:
        deleted = feed.trim()
    except FeedError as exc:
        logger.warning("retention failed: %s", exc, extra={"action": "trim_failed"})
        return
    if deleted:
        logger.info("records trimmed", extra={"action": "trimmed", "records": deleted})

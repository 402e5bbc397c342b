"""Where an event lies: the hour and month of its key, and its shard."""

from datetime import UTC, datetime
from functools import lru_cache

from feed.event import HOUR_MS, key_time_ms

_LAST_MONTH_MS = 253_402_300_799_000
"""The end of year 9999: what lies beyond, which admission refuses, counts as its last month."""


@lru_cache(maxsize=10_000)
def month_of(time_ms: int) -> int:
    """The month of a time as 202611; asked with hours, which are few."""
    moment = datetime.fromtimestamp(max(0, min(time_ms, _LAST_MONTH_MS)) // 1000, tz=UTC)
    return moment.year * 100 + moment.month


def hour_of(key: bytes) -> int:
    """The start of the key's hour, in ms."""
    return key_time_ms(key) // HOUR_MS * HOUR_MS


def shard_of(key: bytes, shards: int) -> int:
    """The key's shard of so many: its last 16 bits are bits of a hash."""
    return int.from_bytes(key[14:], "big") % shards

"""Times as clients write them, to whole milliseconds (floor) and back."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_SECONDS = slice(17, 19)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
FIRST_MS = -62_135_596_800_000
LAST_MS = 253_402_300_799_999
"""Years 1 to 9999: what a calendar date can say."""


def parse_time(value: int | str) -> int | None:
    """Epoch milliseconds of an RFC 3339 text with an offset, or of epoch milliseconds; None when it
    is neither. A leap second is the second after :59."""
    if isinstance(value, int):
        return value if FIRST_MS <= value <= LAST_MS else None
    if not _RFC3339.fullmatch(value):
        return None
    try:
        time_ms = (datetime.fromisoformat(value) - _EPOCH) // _MILLISECOND
    except ValueError:
        return _unusual_time(value.upper())
    return time_ms if FIRST_MS <= time_ms <= LAST_MS else None


def _unusual_time(text: str) -> int | None:
    """Small letters, a leap second, or no time at all."""
    is_leap = text[_SECONDS] == "60"
    usual = text[:17] + "59" + text[19:] if is_leap else text
    try:
        time_ms = (datetime.fromisoformat(usual) - _EPOCH) // _MILLISECOND + 1000 * is_leap
    except ValueError:
        return None
    return time_ms if FIRST_MS <= time_ms <= LAST_MS else None


def format_time(time_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds and Z."""
    second, rest_ms = divmod(time_ms, 1000)
    return f"{_second_text(second)}.{rest_ms:03}Z"


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    """Kept, since the requests of a second all say it again."""
    return (_EPOCH + timedelta(seconds=second)).isoformat()[: -len("+00:00")]

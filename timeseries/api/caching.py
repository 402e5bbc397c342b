"""ETags of query answers: weak, since took_ms and complete_through differ where no figure does."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

CACHE_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}


def etag_of(parts: Sequence[object]) -> str:
    """The tag of all that an answer follows from."""
    digest = blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()
    return f'W/"{digest}"'


def matches(etag: str, if_none_match: str | None) -> bool:
    """RFC 9110 section 13.1.2, by weak comparison."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags

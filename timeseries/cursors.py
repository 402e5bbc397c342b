"""The cursor of a list: where it goes on, checked so that a mangled or foreign one is told."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b

KEY_BYTES = 16
_GENERATION_BYTES = 4
_CHECK_BYTES = 8
_SIZE = _GENERATION_BYTES + KEY_BYTES + _CHECK_BYTES


class BadCursor(ValueError):
    """The text is no cursor, or one of another list."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The list goes on below `key`, in the generation that it began in."""

    generation: int
    key: bytes


def write_cursor(cursor: Cursor, listing: str) -> str:
    """The cursor's text; `listing` says all that the list is of, so that it fits no other."""
    body = cursor.generation.to_bytes(_GENERATION_BYTES, "big") + cursor.key
    return urlsafe_b64encode(body + _check(body, listing)).rstrip(b"=").decode()


def read_cursor(text: str, listing: str) -> Cursor:
    """Raises BadCursor."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError as exc:
        raise BadCursor("not a cursor: send next_cursor as it came") from exc
    body, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if len(raw) != _SIZE or check != _check(body, listing):
        raise BadCursor("not a cursor of this list: send next_cursor with the same query")
    return Cursor(int.from_bytes(body[:_GENERATION_BYTES], "big"), body[_GENERATION_BYTES:])


def _check(body: bytes, listing: str) -> bytes:
    return blake2b(body + listing.encode(), digest_size=_CHECK_BYTES).digest()

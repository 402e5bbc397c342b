"""UUIDv7 (RFC 9562 section 5.7): ids that we make, and the time inside those that clients made."""

import random
import re

_UUID7 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
)
_TIME_BITS_SHIFT = 80
_RANDOM_A = 0xFFF << 64
_RANDOM_B = (1 << 62) - 1


def make_id(time_ms: int) -> str:
    """A new UUIDv7 of this millisecond."""
    # Unique is enough, nobody needs to be kept from guessing; and unlike os.urandom this never lets
    # go of the interpreter's lock, which in a busy process costs more than all of admission.
    noise = random.getrandbits(80)  # noqa: S311
    bits = time_ms << _TIME_BITS_SHIFT | 0x7 << 76 | noise & _RANDOM_A
    digits = f"{bits | 0b10 << 62 | noise & _RANDOM_B:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def time_in_id(event_id: str) -> int | None:
    """Milliseconds inside a UUIDv7 in its usual form of 36 characters; None for any other id."""
    if len(event_id) != 36 or not _UUID7.fullmatch(event_id):
        return None
    return int(event_id[:8] + event_id[9:13], 16)

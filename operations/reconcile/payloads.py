"""What clients send to have a gap replayed."""

import msgspec

from feed.event import LAST_KEY_MS
from replay.domain import Span
from replay.errors import InvalidReplay
from replay.payloads import convert, time_ms


class RepairRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Times of occurrence, `from ≤ t < to`, RFC 3339 with an offset or epoch milliseconds; and
    why."""

    from_: str | int = msgspec.field(name="from")
    to: str | int
    reason: str


def parse_repair(payload: object) -> tuple[Span, str]:
    """The range and the reason. Raises InvalidReplay naming the member."""
    asked = convert(payload, RepairRequest)
    from_ms = time_ms(asked.from_, "from")
    to_ms = min(time_ms(asked.to, "to"), LAST_KEY_MS)
    if from_ms >= to_ms:
        raise InvalidReplay("from", "from must be before to: the end is not part of the range")
    return Span(from_ms, to_ms), asked.reason

"""A dead letter: a record refused for good, kept with its origin and reason, as it travels in
topic dead-letters."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import msgspec

from feed.ports import OutgoingRecord

MAX_PAYLOAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`stage` is who refused it (ingest, warehouse-sink, projector); `code` a stable error code,
    `detail` a sentence.

    `payload` is cut at 64 KB, `payload_bytes` is its full size. `topic`, `partition`, `offset`
    tell where a
    record lay; `request_id` and `index` where an event of a request stood. `id` is the same
    however often the
    same letter is written, so that its keeper stores it once.
    """

    id: str
    stage: str
    code: str
    detail: str
    at_ms: int
    payload: bytes
    payload_bytes: int
    project: str | None = None
    field: str | None = None
    event_key: str | None = None
    event_id: str | None = None
    request_id: str | None = None
    index: int | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    headers: Mapping[str, str] | None = None


def to_record(letter: DeadLetter) -> OutgoingRecord:
    """The letter as a record: JSON, the payload in base64, cut at MAX_PAYLOAD_BYTES."""
    members = asdict(letter)
    members["payload"] = b64encode(letter.payload[:MAX_PAYLOAD_BYTES]).decode()
    return OutgoingRecord(key=letter.id.encode(), value=msgspec.json.encode(members))


def from_record(value: bytes) -> DeadLetter:
    """Raises ValueError when the bytes are not a dead letter."""
    try:
        return _DECODER.decode(value)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ValueError(f"not a dead letter: {exc}") from exc


_DECODER = msgspec.json.Decoder(DeadLetter)

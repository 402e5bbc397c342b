"""What ingest refuses, as dead letters: kept, so that a client's fault can be found and mended."""

from hashlib import blake2b
from typing import NamedTuple

from feed.dead_letters import MAX_PAYLOAD_BYTES, DeadLetter
from ingest.domain import Rejected

STAGE = "ingest"


class Origin(NamedTuple):
    """Where a row came from."""

    project: str
    request_id: str


def dead_letter(
    index: int, row: bytes, verdict: Rejected, origin: Origin, now_ms: int
) -> DeadLetter:
    """The letter of a refused row, its payload cut at 64 KB and its full size noted."""
    where = f" in {verdict.field}" if verdict.field else ""
    return DeadLetter(
        id=_letter_id(index, row, origin),
        stage=STAGE,
        code=verdict.code,
        detail=f"refused at admission: {verdict.code}{where}",
        at_ms=now_ms,
        payload=row[:MAX_PAYLOAD_BYTES],
        payload_bytes=len(row),
        project=origin.project,
        field=verdict.field,
        event_id=verdict.event_id,
        request_id=origin.request_id,
        index=index,
    )


def _letter_id(index: int, row: bytes, origin: Origin) -> str:
    """The same for the same row of the same request. The row counts too: clients may use one
    request id for many requests."""
    said = f"{origin.project}\0{origin.request_id}\0{index}\0".encode()
    return blake2b(said + row, digest_size=16).hexdigest()

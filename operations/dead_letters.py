"""Keeps dead letters in their table: each once, whatever they look like."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from django.db import models

from access.texts import storable
from feed.dead_letters import MAX_PAYLOAD_BYTES, DeadLetter, from_record
from feed.ports import Record
from feed.topics import Group
from operations.dead_letter_rows import DeadLetterRow

UNREADABLE = "unreadable_dead_letter"
ROWS_A_STATEMENT = 50
MAX_ID_CHARS = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_WHOLE = 2**63 - 1
_CUT_TEXTS = tuple(
    (column.name, column.max_length)
    for column in DeadLetterRow._meta.concrete_fields
    if isinstance(column, models.CharField)
)


def keep(records: Sequence[Record]) -> None:
    """Store the letters of these records in one go; those that are there already stay as they are.

    Raises django.db.DatabaseError: nothing is promised, keep them again later.
    """
    rows = [row_of(record) for record in records]
    DeadLetterRow.objects.bulk_create(rows, batch_size=ROWS_A_STATEMENT, ignore_conflicts=True)


def row_of(record: Record) -> DeadLetterRow:
    """The row of a letter. A record that is no letter is a row too, under a code that says so:
    nothing that was refused disappears, and nothing holds up the letters behind it."""
    try:
        return _row(from_record(record.value))
    except (ValueError, OverflowError) as exc:
        return _row(_unreadable(record, str(exc)))


def _unreadable(record: Record, detail: str) -> DeadLetter:
    origin = f"{record.topic}\0{record.partition}\0{record.offset}".encode()
    return DeadLetter(
        id=blake2b(origin, digest_size=16).hexdigest(),
        stage=Group.DEAD_LETTER_KEEPER,
        code=UNREADABLE,
        detail=detail,
        at_ms=record.appended_at_ms,
        payload=record.value[:MAX_PAYLOAD_BYTES],
        payload_bytes=len(record.value),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def _row(letter: DeadLetter) -> DeadLetterRow:
    if not 1 <= len(letter.id) <= MAX_ID_CHARS:
        raise ValueError(f"a letter's id has 1 to {MAX_ID_CHARS} characters, not {len(letter.id)}")
    row = DeadLetterRow(
        id=letter.id,
        refused_at=_EPOCH + timedelta(milliseconds=letter.at_ms),
        project=letter.project or "",
        stage=letter.stage,
        code=letter.code,
        detail=storable(letter.detail),
        field=letter.field or "",
        event_key=letter.event_key or "",
        event_id=letter.event_id or "",
        request_id=letter.request_id or "",
        request_index=_position(letter.index),
        topic=letter.topic or "",
        partition=_position(letter.partition),
        offset=_position(letter.offset),
        headers={storable(name): storable(text) for name, text in (letter.headers or {}).items()},
        payload=letter.payload,
        payload_bytes=_whole(letter.payload_bytes),
    )
    for name, max_chars in _CUT_TEXTS:
        setattr(row, name, storable(getattr(row, name))[:max_chars])
    return row


def _position(number: int | None) -> int | None:
    return None if number is None else _whole(number)


def _whole(number: int) -> int:
    """Raises ValueError for what no column holds."""
    if not 0 <= number <= _MAX_WHOLE:
        raise ValueError(f"{number} is no position, index or size")
    return number

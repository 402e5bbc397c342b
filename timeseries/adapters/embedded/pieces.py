"""A query's range cut into pieces: spans that a rollup's tier covers exactly, and the rest, which
documents answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from feed.event import first_key_at
from feed.sqlite import Connection
from timeseries.domain import SeriesQuery

DOCUMENTS = 0
"""The source of pieces that are read from documents; others are tiers, in ms."""
CREATE_PIECES = (
    "CREATE TEMP TABLE pieces (source INTEGER, bucket INTEGER, low, high,"
    " PRIMARY KEY (source, bucket, low)) WITHOUT ROWID"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Times in [start_ms, end_ms) of one bucket, and where they are read."""

    source: int
    bucket: int
    start_ms: int
    end_ms: int


def clipped_buckets(query: SeriesQuery) -> list[tuple[int, int, int]]:
    """(index, start, end) of every bucket within the range, empty ones left out."""
    clipped = (
        (index, max(bucket.start_ms, query.from_ms), min(bucket.end_ms, query.to_ms))
        for index, bucket in enumerate(query.buckets)
    )
    return [(index, start, end) for index, start, end in clipped if start < end]


def cut(buckets: Sequence[tuple[int, int, int]], tiers_ms: Sequence[int]) -> list[Piece]:
    """The pieces of each bucket, by the widest tiers that fit; without tiers, documents alone."""
    pieces: list[Piece] = []
    for index, start, end in buckets:
        _cut(pieces, index, start, end, tiers_ms)
    return pieces


def _cut(pieces: list[Piece], bucket: int, start: int, end: int, tiers_ms: Sequence[int]) -> None:
    if start >= end:
        return
    if not tiers_ms:
        pieces.append(Piece(DOCUMENTS, bucket, start, end))
        return
    tier = tiers_ms[0]
    low, high = -(-start // tier) * tier, end // tier * tier
    if low >= high:
        _cut(pieces, bucket, start, end, tiers_ms[1:])
        return
    _cut(pieces, bucket, start, low, tiers_ms[1:])
    pieces.append(Piece(tier, bucket, low, high))
    _cut(pieces, bucket, high, end, tiers_ms[1:])


def fill_pieces(connection: Connection, pieces: Sequence[Piece]) -> None:
    """Put the pieces into the connection's temporary table; bounds of documents are keys."""
    connection.execute("DELETE FROM temp.pieces")
    connection.executemany(
        "INSERT INTO temp.pieces VALUES (?, ?, ?, ?)",
        [(piece.source, piece.bucket, *_bounds(piece)) for piece in pieces],
    )


def _bounds(piece: Piece) -> tuple[int, int] | tuple[bytes, bytes]:
    if piece.source == DOCUMENTS:
        return first_key_at(piece.start_ms), first_key_at(piece.end_ms)
    return piece.start_ms, piece.end_ms

"""A chunk: the records that one transaction appends to one partition, as one row's bytes.

One row instead of many, since every step of a statement gives up the interpreter's lock and a busy
event loop is slow to hand it back: a hundred rows would cost a hundred such waits.

Layout, little endian: a byte (1 if any record has headers), the lengths of all keys, of all values
and, if so, of all header blocks, 4 bytes each; then keys, values and header blocks end to end.
Headers are MessagePack.
"""

from collections.abc import Iterator, Sequence
from struct import pack as pack_struct
from struct import unpack_from

import msgspec

from feed.ports import Headers, OutgoingRecord, Record

_headers_encoder = msgspec.msgpack.Encoder()
_headers_decoder: msgspec.msgpack.Decoder[Headers] = msgspec.msgpack.Decoder(Headers)


def pack(records: Sequence[OutgoingRecord]) -> bytes:
    """The bytes of one chunk."""
    columns: list[list[bytes]] = [
        [record.key for record in records],
        [record.value for record in records],
    ]
    has_headers = any(record.headers for record in records)
    if has_headers:
        columns.append([_headers_encoder.encode(record.headers) for record in records])
    parts = [bytes([has_headers])]
    parts += [pack_struct(f"<{len(records)}I", *map(len, column)) for column in columns]
    for column in columns:
        parts += column
    return b"".join(parts)


def unpack(
    data: bytes, *, topic: str, partition: int, base: int, count: int, appended_at_ms: int
) -> list[Record]:
    """The records of a chunk whose first one has offset `base`, in offset order."""
    column_count = 3 if data[0] else 2
    sizes = unpack_from(f"<{column_count * count}I", data, 1)
    at = 1 + 4 * len(sizes)
    keys = _slices(data, at, sizes[:count])
    at += sum(sizes[:count])
    values = _slices(data, at, sizes[count : 2 * count])
    if column_count == 2:
        return [
            Record(topic, partition, offset, appended_at_ms, key, value, ())
            for offset, (key, value) in enumerate(zip(keys, values, strict=True), base)
        ]
    at += sum(sizes[count : 2 * count])
    blocks = map(_headers_decoder.decode, _slices(data, at, sizes[2 * count :]))
    return [
        Record(topic, partition, offset, appended_at_ms, key, value, headers)
        for offset, (key, value, headers) in enumerate(zip(keys, values, blocks, strict=True), base)
    ]


def _slices(data: bytes, at: int, sizes: Sequence[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[at : at + size]
        at += size


def cut(records: Sequence[OutgoingRecord], *, max_bytes: int) -> Iterator[Sequence[OutgoingRecord]]:
    """Runs of records of about `max_bytes` at most (one record may be larger), in order."""
    start = size = 0
    for index, record in enumerate(records):
        length = len(record.key) + len(record.value)
        if index > start and size + length > max_bytes:
            yield records[start:index]
            start, size = index, 0
        size += length
    if records:
        yield records[start:]

"""Asks a broker one question in Kafka's own protocol, without a driver."""

import socket
import struct

from operations.engines.exact_read import read_exactly

_METADATA, _VERSION = 3, 4
_CORRELATION = 4711
_LIMIT_S = 5.0
_MAX_ANSWER_BYTES = 1 << 20


def broker_count(host: str, port: int) -> int:
    """How many brokers this one knows of, once it knows a controller; 0: it does not answer."""
    try:
        with socket.create_connection((host, port), timeout=_LIMIT_S) as connection:
            connection.sendall(_request())
            return _brokers(_answer(connection))
    except (OSError, struct.error, ValueError):
        return 0


def _request() -> bytes:
    """Metadata of no topic, creating none."""
    client = b"weir"
    header = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, len(client)) + client
    message = header + struct.pack(">i?", 0, False)
    return struct.pack(">i", len(message)) + message


def _answer(connection: socket.socket) -> bytes:
    (size,) = struct.unpack(">i", read_exactly(connection, 4))
    if not 4 <= size <= _MAX_ANSWER_BYTES:
        raise ValueError(f"{size} bytes: not Kafka's protocol")
    answer = read_exactly(connection, size)
    if struct.unpack_from(">i", answer) != (_CORRELATION,):
        raise ValueError("an answer to another question: not Kafka's protocol")
    return answer[4:]


def _brokers(body: bytes) -> int:
    """Throttle time, brokers (number, host, port, rack), name of the cluster, controller."""
    (count,) = struct.unpack_from(">i", body, 4)
    at = 8
    for _ in range(count):
        at = _after_text(body, at + 4) + 4
        at = _after_text(body, at)
    at = _after_text(body, at)
    (controller,) = struct.unpack_from(">i", body, at)
    return int(count) if controller >= 0 else 0


def _after_text(body: bytes, at: int) -> int:
    (length,) = struct.unpack_from(">h", body, at)
    return at + 2 + max(0, int(length))

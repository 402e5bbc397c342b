"""Asks a Cassandra node one question in its own protocol (version 4), without a driver."""

import socket
import struct

from operations.engines.exact_read import read_exactly

_STARTUP, _AUTHENTICATE, _QUERY, _RESULT, _AUTH_RESPONSE, _READY, _AUTH_SUCCESS = (
    *(0x01, 0x03, 0x07, 0x08, 0x0F),
    *(0x02, 0x10),
)
_REQUEST_VERSION = 0x04
_ROWS, _GLOBAL_TABLE = 2, 0x0001
_ONE = 0x0001
_LIMIT_S = 10.0
_MAX_ANSWER_BYTES = 1 << 20
_PEERS = b"SELECT rpc_address FROM system.peers"


def member_count(host: str, port: int, credentials: tuple[str, str] | None = None) -> int:
    """How many nodes this one knows of, itself included; 0: it answers no query (yet)."""
    try:
        with socket.create_connection((host, port), timeout=_LIMIT_S) as connection:
            _log_in(connection, credentials)
            query = struct.pack(">i", len(_PEERS)) + _PEERS + struct.pack(">HB", _ONE, 0)
            opcode, body = _ask(connection, _QUERY, query)
            return 1 + _row_count(body) if opcode == _RESULT else 0
    except (OSError, struct.error, ValueError):
        return 0


def _log_in(connection: socket.socket, credentials: tuple[str, str] | None) -> None:
    options = struct.pack(">H", 1) + _text("CQL_VERSION") + _text("3.0.0")
    opcode, _ = _ask(connection, _STARTUP, options)
    if opcode == _AUTHENTICATE and credentials is not None:
        user, password = credentials
        token = f"\0{user}\0{password}".encode()
        opcode, _ = _ask(connection, _AUTH_RESPONSE, struct.pack(">i", len(token)) + token)
    if opcode not in (_READY, _AUTH_SUCCESS):
        raise ValueError(f"opcode {opcode} instead of ready")


def _ask(connection: socket.socket, opcode: int, body: bytes) -> tuple[int, bytes]:
    connection.sendall(struct.pack(">BBhBi", _REQUEST_VERSION, 0, 0, opcode, len(body)) + body)
    _, _, _, answered, size = struct.unpack(">BBhBi", read_exactly(connection, 9))
    if not 0 <= size <= _MAX_ANSWER_BYTES:
        raise ValueError(f"{size} bytes: not Cassandra's protocol")
    return int(answered), read_exactly(connection, size)


def _row_count(body: bytes) -> int:
    """Rows of a result with one column: kind, flags, columns, table, the column, then the count."""
    kind, flags, column_count = struct.unpack_from(">iii", body)
    if kind != _ROWS or column_count != 1 or not flags & _GLOBAL_TABLE:
        raise ValueError("not the rows that were asked for")
    at = 12
    for _ in ("keyspace", "table", "column"):
        (length,) = struct.unpack_from(">H", body, at)
        at += 2 + int(length)
    at += 2  # the column's type
    (count,) = struct.unpack_from(">i", body, at)
    return int(count)


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()

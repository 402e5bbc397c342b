"""Asks a Cassandra node one question in its own protocol (version 4), without a driver."""

import socket
import struct

from operations.engines.exact_read import read_exactly

_STARTUP, _AUTHENTICATE, _QUERY, _RESULT, _AUTH_RESPONSE, _READY, _AUTH_SUCCESS = (
    *(0x01, 0x03, 0x07, 0x08, 0x0F),
    *(0x02, 0x10),
)
_REQUEST_VERSION = 0x04
_LIMIT_S = 10.0
_MAX_ANSWER_BYTES = 1 << 20
_QUESTION = b"SELECT view_name FROM system_distributed.view_build_status"
"""What three nodes keep, unless somebody altered that keyspace."""


def is_answered(
    host: str, port: int, nodes: int, credentials: tuple[str, str] | None = None
) -> bool:
    """Whether so many nodes, 1 to 3, together answer a question that this one is asked: it not
    only knows of the others, it takes them to be alive, and they are. Blocks up to 10 s."""
    try:
        with socket.create_connection((host, port), timeout=_LIMIT_S) as connection:
            _log_in(connection, credentials)
            consistency = nodes  # ONE, TWO and THREE are 1, 2 and 3 in the protocol
            query = struct.pack(">i", len(_QUESTION)) + _QUESTION
            query += struct.pack(">HB", consistency, 0)
            opcode, _ = _ask(connection, _QUERY, query)
            return opcode == _RESULT
    except (OSError, struct.error, ValueError):
        return False


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


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()

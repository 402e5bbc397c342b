"""What both binary probes need of a socket."""

import socket


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes. Raises ValueError when the connection ends before, OSError as the socket
    does."""
    got = b""
    while len(got) < size:
        piece = connection.recv(size - len(got))
        if not piece:
            raise ValueError("the connection ended within an answer")
        got += piece
    return got

"""Listening sockets, bound before anything else starts, so that a taken port is said in one
sentence."""

import errno
import socket


class PortTaken(Exception):
    """Somebody else listens there already."""


def bind(host: str, port: int) -> socket.socket:
    """A bound, inheritable TCP socket; port 0 takes a free one. Raises PortTaken, OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        # Two sockets may be bound to one port until one of them listens: this one does, at once.
        bound.listen()
    except OSError as exc:
        bound.close()
        if exc.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"port {port} of {host} is in use: stop what listens there, or choose another port"
            ) from exc
        raise
    bound.set_inheritable(True)
    return bound

"""Taking a port, or saying that somebody else has it."""

import socket

from waferscope_collector.errors import PortTakenError

_BACKLOG = 2048  # connections that wait to be accepted


def take(host: str, port: int, protocol: str) -> socket.socket:
    """Bind a socket; it does not listen yet.

    Args:
        host: Address.
        port: Port.
        protocol: What it is for, for the message.

    Raises:
        PortTakenError: Another process has the port, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise PortTakenError(f"cannot listen on {host}:{port} for {protocol}: {error.strerror}") from error
    return bound


def listen(bound: socket.socket, protocol: str) -> None:
    """Let a bound socket listen.

    Raises:
        PortTakenError: Another process began to listen there since the port was taken.
    """
    try:
        bound.listen(_BACKLOG)
    except OSError as error:
        host, port = bound.getsockname()[:2]
        raise PortTakenError(f"cannot listen on {host}:{port} for {protocol}: {error.strerror}") from error

"""Loopback ports: finding a free one, refusing a taken one."""

import contextlib
import errno
import socket

from waferscope_stack.errors import PortTakenError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(host: str, port: int, setting: str) -> None:
    """Check that a port can be listened on.

    Args:
        host: The address that will be listened on.
        port: The port; 0 means any and is always free.
        setting: The environment variable that chooses the port, for the message.

    Raises:
        PortTakenError: Another program listens there, or this user may not.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a past connection is no obstacle
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise PortTakenError(
                    f"{host} is no address of this machine: choose another by WAFERSCOPE_QUERY_HOST or _WRITER_HOST"
                ) from None
            raise PortTakenError(
                f"port {port} on {host} can't be used ({error.strerror}): choose another by {setting}"
            ) from None
